//! Lines over a number that doubles.

use svg::Document;

use super::canvas::{Anchor, Canvas, GREY, WIDTH};
use super::scale::{Scale, spread_apart};
use crate::number::figure;

const HEIGHT: f64 = 440.0;
const LEFT: f64 = 92.0;
const RIGHT: f64 = WIDTH - 190.0;
const TOP: f64 = 64.0;
const BOTTOM: f64 = HEIGHT - 62.0;
/// Between two lines of text.
const LEADING: f64 = 17.0;

/// A chart with both axes logarithmic: what is twice as much is as far apart everywhere.
pub(super) struct Lines<'a> {
    pub(super) title: &'a str,
    pub(super) x: &'a str,
    pub(super) y: &'a str,
    pub(super) series: Vec<Series<'a>>,
    pub(super) references: Vec<Reference>,
}

pub(super) struct Series<'a> {
    pub(super) name: &'a str,
    pub(super) colour: &'a str,
    pub(super) points: Vec<Point>,
}

pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
    /// From the lowest to the highest round.
    pub(super) range: Option<(f64, f64)>,
}

/// A figure that does not depend on what is on the x axis.
pub(super) struct Reference {
    pub(super) name: String,
    pub(super) y: f64,
}

impl Lines<'_> {
    /// `None` if there is nothing to draw.
    pub(super) fn draw(mut self) -> Option<Document> {
        self.series.retain(|series| !series.points.is_empty());
        let points = || self.series.iter().flat_map(|series| &series.points);
        let x = Scale::logarithmic(points().map(|point| point.x), 1.25, (LEFT, RIGHT))?;
        let ranges = points().filter_map(|point| point.range).flat_map(|(low, high)| [low, high]);
        let references = self.references.iter().map(|reference| reference.y);
        let all = points().map(|point| point.y).chain(ranges).chain(references);
        let y = Scale::logarithmic(all, 1.15, (BOTTOM, TOP))?;
        let mut canvas = Canvas::new(HEIGHT, self.title);
        self.axes(&mut canvas, x, y);
        self.figures(&mut canvas, x, y);
        self.names(&mut canvas, y);
        Some(canvas.finish())
    }

    fn axes(&self, canvas: &mut Canvas, x: Scale, y: Scale) {
        for tick in y.ticks() {
            let at = y.place(tick);
            canvas.grid((LEFT, at), (RIGHT, at));
            canvas.text(&figure(tick), (LEFT - 10.0, at), Anchor::End, GREY);
        }
        let mut ticks: Vec<_> =
            self.series.iter().flat_map(|series| &series.points).map(|point| point.x).collect();
        ticks.sort_by(f64::total_cmp);
        ticks.dedup();
        for tick in ticks {
            let at = x.place(tick);
            canvas.line((at, BOTTOM), (at, BOTTOM + 5.0), GREY, 1.0);
            canvas.text(&figure(tick), (at, BOTTOM + 18.0), Anchor::Middle, GREY);
        }
        canvas.line((LEFT, BOTTOM), (RIGHT, BOTTOM), GREY, 1.0);
        canvas.text(self.x, ((LEFT + RIGHT) / 2.0, BOTTOM + 42.0), Anchor::Middle, GREY);
        canvas.upward(self.y, (24.0, (TOP + BOTTOM) / 2.0));
    }

    fn figures(&self, canvas: &mut Canvas, x: Scale, y: Scale) {
        for reference in &self.references {
            let at = y.place(reference.y);
            canvas.dashes((LEFT, at), (RIGHT, at), GREY);
        }
        for series in &self.series {
            let place = |point: &Point| (x.place(point.x), y.place(point.y));
            canvas.path(&series.points.iter().map(place).collect::<Vec<_>>(), series.colour);
            for point in &series.points {
                let (at, _) = place(point);
                if let Some((low, high)) = point.range {
                    canvas.line((at, y.place(low)), (at, y.place(high)), series.colour, 1.5);
                }
                canvas.dot(place(point), series.colour);
            }
        }
    }

    /// The names stand at the ends of the lines.
    fn names(&self, canvas: &mut Canvas, y: Scale) {
        let series = self.series.iter().filter_map(|series| {
            let last = series.points.last()?;
            Some((series.name, series.colour, y.place(last.y)))
        });
        let references =
            self.references.iter().map(|reference| (&*reference.name, GREY, y.place(reference.y)));
        let names: Vec<_> = series.chain(references).collect();
        let places: Vec<_> = names.iter().map(|(.., at)| *at).collect();
        for ((name, colour, _), at) in names.iter().zip(spread_apart(&places, LEADING, BOTTOM)) {
            canvas.text(name, (RIGHT + 10.0, at), Anchor::Start, colour);
        }
    }
}
