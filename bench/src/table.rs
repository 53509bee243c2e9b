//! A table as the terminal shows it, and as the README has it.

/// Rows of cells below their heads. The first column is text, the others are numbers.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(heads: &[&str]) -> Self {
        Self {
            rows: vec![heads.iter().map(|head| (*head).to_owned()).collect()],
        }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(crate) fn print(&self, markdown: bool) {
        println!("{}", if markdown { self.markdown() } else { self.plain() });
    }

    fn plain(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            let cells = row.iter().enumerate().map(|(column, cell)| {
                let width = self.width(column);
                if column == 0 {
                    format!("  {cell:<width$}")
                } else {
                    format!("{cell:>width$}")
                }
            });
            text.push_str(cells.collect::<Vec<_>>().join("   ").trim_end());
            text.push('\n');
        }
        text
    }

    fn markdown(&self) -> String {
        let mut lines: Vec<String> = self
            .rows
            .iter()
            .map(|row| format!("| {} |\n", row.join(" | ")))
            .collect();
        let columns = self.rows.first().map_or(0, Vec::len);
        lines.insert(1, format!("|{}\n", " --- |".repeat(columns)));
        lines.concat()
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["side", "jobs/s"]);
        table.row(["Spiral".to_owned(), "43,400".to_owned()]);
        table.row(["other".to_owned(), "9".to_owned()]);
        table
    }

    #[test]
    fn the_terminal_has_columns() {
        assert_eq!(
            table().plain(),
            "  side     jobs/s\n  Spiral   43,400\n  other         9\n"
        );
    }

    #[test]
    fn the_readme_has_bars() {
        assert_eq!(
            table().markdown(),
            "| side | jobs/s |\n| --- | --- |\n| Spiral | 43,400 |\n| other | 9 |\n"
        );
    }
}
