//! What the documents say is typed in an empty folder, and what they show is what is seen.

mod walk;

use walk::{Walk, empty_folder};

/// One after the other, in one folder, since they compile the same crates.
#[test]
fn a_newcomer_who_types_the_documents_sees_what_they_show() {
    let folder = empty_folder();
    Walk::of(include_str!("../tutorial.md")).go(&folder);
    Walk::of(include_str!("../your-own-domain.md")).go(&folder);
}
