//! A table, for a terminal and for a document.

use comfy_table::{CellAlignment, Table, presets};

/// A table under a heading.
pub(crate) struct Section {
    pub(crate) title: &'static str,
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    /// How many columns are words; those after them are numbers.
    words: usize,
}

impl Section {
    pub(crate) fn new(
        title: &'static str,
        words: usize,
        header: impl Into<Vec<&'static str>>,
        rows: impl IntoIterator<Item = Vec<String>>,
    ) -> Self {
        Self { title, header: header.into(), rows: rows.into_iter().collect(), words }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// With spaces between the columns.
    pub(crate) fn for_terminal(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN).set_header(self.header.iter().copied());
        for column in table.column_iter_mut().skip(self.words) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table.add_rows(self.rows.iter().cloned());
        table.to_string()
    }

    /// As Markdown. A terminal's table breaks its lines where the window ends, and says nothing of alignment.
    pub(crate) fn for_markdown(&self) -> String {
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            cells.fold("|".to_owned(), |line, cell| line + " " + &cell.replace('|', "\\|") + " |") + "\n"
        };
        let rule = (0..self.header.len()).map(|column| if column < self.words { "---" } else { "---:" });
        let mut text = line(&mut self.header.iter().copied());
        text += &line(&mut rule.into_iter());
        for row in &self.rows {
            text += &line(&mut row.iter().map(String::as_str));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_on_the_right() {
        let rows = vec![vec!["a|b".to_owned(), "1".to_owned()]];
        let section = Section::new("title", 1, ["case", "figure"], rows);
        assert_eq!(section.for_markdown(), "| case | figure |\n| --- | ---: |\n| a\\|b | 1 |\n");
        assert!(section.for_terminal().lines().last().unwrap().ends_with("     1 |"));
    }
}
