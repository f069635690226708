//! The tutorial, walked: what it says is typed in an empty folder, and what it shows is what is seen.

mod walk;

use walk::Walk;

#[test]
fn a_newcomer_who_types_the_tutorial_sees_what_it_shows() {
    Walk::of(include_str!("../tutorial.md")).go();
}
