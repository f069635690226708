# What must pass, and its parts. `just all` runs the script that the build server runs.

# Everything.
all:
    bash .ci/run

# Formatting and lints.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# The tests that need nothing but Rust and a C compiler.
test:
    cargo test --workspace --locked

# Worlds in which everything goes wrong, many of them.
simulate seeds="10000":
    SIMULATION_SEEDS={{seeds}} cargo test --workspace --locked --config .ci/simulation.toml --test simulation

# The documentation of the public interface.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# The slides, played.
demo:
    cargo run -p coins -- demo

# Our figures beside the raw engine's.
bench:
    cargo run --release -p bench

# The documents: programs, commands, links, spelling.
docs:
    cargo test --locked -p docs
    bash .ci/docs

# A fresh clone, the README's command, the tutorial and a domain of one's own, with a clock.
newcomer:
    bash .ci/newcomer
