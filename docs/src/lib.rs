//! The documents of the project, as a package: `cargo test -p docs` compiles and runs the programs of the guides,
//! types the tutorial in an empty folder, and follows every link.
