//! Bars with the line that each is to reach.

use svg::Document;

use super::canvas::{Anchor, BLUE, Canvas, GREY, INK, ORANGE, WIDTH};
use super::scale::Scale;
use crate::number::figure;
use crate::statistics::Spread;

const LEFT: f64 = 330.0;
const RIGHT: f64 = WIDTH - 80.0;
const TOP: f64 = 64.0;
/// For one bar.
const ROW: f64 = 46.0;
const THICK: f64 = 18.0;

pub(super) struct Bars<'a> {
    pub(super) title: &'a str,
    pub(super) x: &'a str,
    pub(super) bars: Vec<Bar<'a>>,
}

pub(super) struct Bar<'a> {
    pub(super) name: &'a str,
    /// What its value is a ratio to.
    pub(super) beside: &'a str,
    pub(super) value: Spread,
    pub(super) goal: f64,
    pub(super) met: bool,
}

impl Bars<'_> {
    /// `None` if there is nothing to draw.
    pub(super) fn draw(&self) -> Option<Document> {
        let ends = self.bars.iter().flat_map(|bar| [bar.value.highest, bar.goal]);
        let scale = Scale::to(ends.reduce(f64::max)? * 1.05, (LEFT, RIGHT));
        let bottom = TOP + ROW * self.bars.len() as f64;
        let mut canvas = Canvas::new(bottom + 62.0, self.title);
        for tick in scale.ticks() {
            let at = scale.place(tick);
            canvas.grid((at, TOP - 8.0), (at, bottom));
            canvas.text(&figure(tick), (at, bottom + 16.0), Anchor::Middle, GREY);
        }
        canvas.text(self.x, ((LEFT + RIGHT) / 2.0, bottom + 42.0), Anchor::Middle, GREY);
        for (index, bar) in self.bars.iter().enumerate() {
            bar.draw(&mut canvas, scale, TOP + ROW * (index as f64 + 0.5));
        }
        canvas.line((LEFT, TOP - 8.0), (LEFT, bottom), GREY, 1.0);
        Some(canvas.finish())
    }
}

impl Bar<'_> {
    fn draw(&self, canvas: &mut Canvas, scale: Scale, middle: f64) {
        let Spread { median, lowest, highest } = self.value;
        let colour = if self.met { BLUE } else { ORANGE };
        canvas.text(self.name, (LEFT - 12.0, middle - 8.0), Anchor::End, INK);
        canvas.text(&format!("beside {}", self.beside), (LEFT - 12.0, middle + 9.0), Anchor::End, GREY);
        let size = (scale.place(median) - LEFT, THICK);
        canvas.block((LEFT, middle - THICK / 2.0), size, colour);
        canvas.line((scale.place(lowest), middle), (scale.place(highest), middle), INK, 1.5);
        let goal = scale.place(self.goal);
        canvas.line((goal, middle - ROW * 0.38), (goal, middle + ROW * 0.38), INK, 2.5);
        canvas.text(&format!("{median:.2}"), (RIGHT + 12.0, middle), Anchor::Start, colour);
    }
}
