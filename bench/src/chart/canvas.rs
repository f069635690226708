//! What charts are drawn on: a light ground of its own, so that it reads on a dark page as well.

use svg::Document;
use svg::node::element::{Circle, Line, Polyline, Rectangle, Text};

/// The width of every chart, in pixels at its natural size.
pub(super) const WIDTH: f64 = 820.0;

pub(super) const BLUE: &str = "#0969da";
pub(super) const ORANGE: &str = "#bc4c00";
pub(super) const GREEN: &str = "#1a7f37";
pub(super) const INK: &str = "#1f2328";
pub(super) const GREY: &str = "#59636e";
const PALE: &str = "#d8dee4";
const GROUND: &str = "#ffffff";

pub(super) struct Canvas(Document);

/// Where a text is held.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Canvas {
    /// An empty one with a title.
    pub(super) fn new(height: f64, title: &str) -> Self {
        let ground =
            Rectangle::new().set("width", WIDTH).set("height", height).set("rx", 6).set("fill", GROUND);
        let document = Document::new()
            .set("viewBox", (0, 0, WIDTH, height))
            .set("width", WIDTH)
            .set("height", height)
            .set("role", "img")
            .set("aria-label", title)
            .set("font-family", "system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif")
            .set("font-size", 13)
            .add(ground);
        let mut canvas = Self(document);
        canvas.write(title, (24.0, 32.0), Anchor::Start, INK, |text| {
            text.set("font-size", 17).set("font-weight", 600)
        });
        canvas
    }

    pub(super) fn finish(self) -> Document {
        self.0
    }

    fn add(&mut self, node: impl Into<Box<dyn svg::Node>>) {
        svg::Node::append(&mut self.0, node);
    }

    /// A text whose middle line is at a place.
    pub(super) fn text(&mut self, words: &str, at: (f64, f64), anchor: Anchor, colour: &str) {
        self.write(words, at, anchor, colour, |text| text);
    }

    /// A text that runs upward, held in its middle.
    pub(super) fn upward(&mut self, words: &str, at: (f64, f64)) {
        let turn = format!("rotate(-90 {:.1} {:.1})", at.0, at.1);
        self.write(words, at, Anchor::Middle, GREY, |text| text.set("transform", turn));
    }

    fn write(
        &mut self,
        words: &str,
        (x, y): (f64, f64),
        anchor: Anchor,
        colour: &str,
        change: impl FnOnce(Text) -> Text,
    ) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        // Not every viewer knows of a dominant baseline.
        let text = Text::new(words)
            .set("x", tenth(x))
            .set("y", tenth(y + 4.5))
            .set("text-anchor", anchor)
            .set("fill", colour);
        self.add(change(text));
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: &str, width: f64) {
        self.add(line(from, to, colour, width));
    }

    pub(super) fn dashes(&mut self, from: (f64, f64), to: (f64, f64), colour: &str) {
        self.add(line(from, to, colour, 1.5).set("stroke-dasharray", "6 4"));
    }

    /// A thin line of the grid.
    pub(super) fn grid(&mut self, from: (f64, f64), to: (f64, f64)) {
        self.line(from, to, PALE, 1.0);
    }

    pub(super) fn path(&mut self, points: &[(f64, f64)], colour: &str) {
        let points: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let path = Polyline::new()
            .set("points", points.join(" "))
            .set("fill", "none")
            .set("stroke", colour)
            .set("stroke-width", 2.5)
            .set("stroke-linejoin", "round");
        self.add(path);
    }

    pub(super) fn dot(&mut self, (x, y): (f64, f64), colour: &str) {
        let dot = Circle::new()
            .set("cx", tenth(x))
            .set("cy", tenth(y))
            .set("r", 4)
            .set("fill", colour)
            .set("stroke", GROUND)
            .set("stroke-width", 1.5);
        self.add(dot);
    }

    pub(super) fn block(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), colour: &str) {
        let block = Rectangle::new()
            .set("x", tenth(x))
            .set("y", tenth(y))
            .set("width", tenth(width))
            .set("height", tenth(height))
            .set("rx", 2)
            .set("fill", colour);
        self.add(block);
    }
}

fn line(from: (f64, f64), to: (f64, f64), colour: &str, width: f64) -> Line {
    Line::new()
        .set("x1", tenth(from.0))
        .set("y1", tenth(from.1))
        .set("x2", tenth(to.0))
        .set("y2", tenth(to.1))
        .set("stroke", colour)
        .set("stroke-width", width)
}

/// To a tenth of a pixel.
fn tenth(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}
