//! Plots as inline SVG. Colours are placeholders that the page's style sheet replaces by the
//! reader's theme ([`style_sheet`]).

use crate::report::number;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::prelude::{Cartesian2d, Color};
use plotters::prelude::{
    ChartBuilder, ChartContext, Circle, DashedLineSeries, DrawingAreaErrorKind, IntoDrawingArea,
    IntoFont, LineSeries, PathElement, RGBColor, SVGBackend,
};

/// A plot of one or more series.
#[derive(Clone, PartialEq, Debug)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// Along the bottom.
    pub x: Axis,
    /// Up the side.
    pub y: Axis,
    /// At most [`SERIES_MAX`] of them have colours of their own.
    pub series: Vec<Series>,
    /// Values of y to compare with: goals, bounds.
    pub marks: Vec<Mark>,
}

/// An axis.
#[derive(Clone, PartialEq, Debug)]
pub struct Axis {
    /// What it is of, with the unit.
    pub label: String,
    /// How values are laid out.
    pub scale: Scale,
}

/// How values are laid out along an axis.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scale {
    /// In proportion, from zero.
    Linear,
    /// In proportion to the logarithm; values that are not positive are left out.
    Logarithmic,
    /// Percentiles, 0 to 100: 90, 99, 99.9 and so on are equally far apart.
    Percentile,
}

/// Values that belong together.
#[derive(Clone, PartialEq, Debug)]
pub struct Series {
    /// For the legend.
    pub name: String,
    /// In the order in which a line connects them.
    pub points: Vec<(f64, f64)>,
    /// How they are drawn.
    pub shape: Shape,
}

/// How a series is drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// Connected.
    Line,
    /// Each by itself.
    Dots,
    /// Connected, and each marked: for few points, each of which was measured.
    LineAndDots,
}

/// A value of y to compare with.
#[derive(Clone, PartialEq, Debug)]
pub struct Mark {
    /// For the legend.
    pub name: String,
    /// Where.
    pub y: f64,
}

/// Series that have a colour of their own; further ones begin again.
pub const SERIES_MAX: usize = SERIES.len();

/// A plot cannot be drawn.
#[derive(Debug, thiserror::Error)]
#[error("the plot \"{title}\" cannot be drawn: {cause}")]
#[expect(clippy::error_impl_error, reason = "read as plot::Error")]
pub struct Error {
    title: String,
    cause: String,
}

impl Axis {
    /// An axis in proportion, from zero.
    pub fn linear(label: impl Into<String>) -> Self {
        Self::new(label, Scale::Linear)
    }

    /// An axis of logarithms.
    pub fn logarithmic(label: impl Into<String>) -> Self {
        Self::new(label, Scale::Logarithmic)
    }

    /// An axis of percentiles.
    pub fn percentile(label: impl Into<String>) -> Self {
        Self::new(label, Scale::Percentile)
    }

    fn new(label: impl Into<String>, scale: Scale) -> Self {
        Self {
            label: label.into(),
            scale,
        }
    }
}

impl Series {
    /// A series.
    pub fn new(name: impl Into<String>, shape: Shape, points: Vec<(f64, f64)>) -> Self {
        Self {
            name: name.into(),
            points,
            shape,
        }
    }
}

impl Plot {
    /// Whether there is anything to see.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.laid_out().iter().all(|(_, points)| points.is_empty())
    }

    /// The names of what is in the plot, each with the class that colours it.
    pub(super) fn legend(&self) -> Vec<(String, String)> {
        let laid_out = self.laid_out();
        let series = self.series.iter().enumerate().zip(&laid_out);
        series
            .filter(|(_, (_, points))| !points.is_empty())
            .map(|((index, series), _)| (format!("s{}", index % SERIES_MAX), series.name.clone()))
            .chain(
                self.marks
                    .iter()
                    .map(|mark| ("mark".to_owned(), mark.name.clone())),
            )
            .collect()
    }

    /// The plot as an SVG element.
    ///
    /// # Errors
    /// The values cannot be laid out.
    pub fn to_svg(&self) -> Result<String, Error> {
        let mut svg = String::new();
        self.draw(&mut svg).map_err(|error| Error {
            title: self.title.clone(),
            cause: error.to_string(),
        })?;
        Ok(svg)
    }

    fn draw(&self, svg: &mut String) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
        let laid_out = self.laid_out();
        let points = || laid_out.iter().flat_map(|(_, points)| points.iter());
        let marks = self
            .marks
            .iter()
            .filter_map(|mark| self.y.scale.place(mark.y));
        let x = Span::of(points().map(|point| point.0), self.x.scale);
        let y = Span::of(points().map(|point| point.1).chain(marks), self.y.scale);

        let (left, right) = (x.from, x.to);

        let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .margin_top(10)
            .margin_right(34)
            .x_label_area_size(52)
            .y_label_area_size(72)
            .build_cartesian_2d(x, y)?;
        chart
            .configure_mesh()
            .light_line_style(GRID.mix(0.0))
            .bold_line_style(GRID)
            .axis_style(INK)
            .label_style(("sans-serif", LABEL_SIZE).into_font().color(&INK))
            .axis_desc_style(("sans-serif", LABEL_SIZE).into_font().color(&INK))
            .x_desc(&self.x.label)
            .y_desc(&self.y.label)
            .x_label_formatter(&|place| self.x.scale.label(*place))
            .y_label_formatter(&|place| self.y.scale.label(*place))
            .draw()?;
        for mark in &self.marks {
            if let Some(place) = self.y.scale.place(mark.y) {
                let line = [(left, place), (right, place)];
                let style = MARK.stroke_width(2);
                chart.draw_series(DashedLineSeries::new(line, 6, 5, style))?;
            }
        }
        for (index, (shape, points)) in laid_out.into_iter().enumerate() {
            draw_series(&mut chart, SERIES[index % SERIES_MAX], shape, points)?;
        }
        area.present()
    }

    /// The series in places along the axes, in pieces where a value cannot be placed.
    fn laid_out(&self) -> Vec<(Shape, Vec<(f64, f64)>)> {
        let place = |series: &Series| {
            let points = series.points.iter();
            points
                .filter_map(|&(x, y)| Some((self.x.scale.place(x)?, self.y.scale.place(y)?)))
                .collect()
        };
        self.series
            .iter()
            .map(|series| (series.shape, place(series)))
            .collect()
    }
}

/// Rules that give the placeholders the reader's colours: `--ink`, `--grid`, `--mark`, `--s0` ...
pub(super) fn style_sheet() -> String {
    let mut rules = String::new();
    let named = [(INK, "ink"), (GRID, "grid"), (MARK, "mark")].map(|(c, n)| (c, n.to_owned()));
    let series = SERIES.iter().enumerate();
    for (colour, name) in named
        .into_iter()
        .chain(series.map(|(index, colour)| (*colour, format!("s{index}"))))
    {
        let RGBColor(red, green, blue) = colour;
        let placeholder = format!("#{red:02X}{green:02X}{blue:02X}");
        rules.push_str(&format!(
            "svg [fill=\"{placeholder}\"]{{fill:var(--{name})}}\
             svg [stroke=\"{placeholder}\"]{{stroke:var(--{name})}}"
        ));
    }
    rules
}

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Span, Span>>;

fn draw_series(
    chart: &mut Chart<'_, '_>,
    colour: RGBColor,
    shape: Shape,
    points: Vec<(f64, f64)>,
) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
    if shape != Shape::Line {
        let dots = points.iter().map(|&at| Circle::new(at, 4, colour.filled()));
        chart.draw_series(dots)?;
    }
    if shape != Shape::Dots {
        if let [only] = points[..] {
            chart.draw_series([Circle::new(only, 4, colour.filled())])?;
        } else if points.len() > LINE_POINTS_MAX {
            chart.draw_series([PathElement::new(thinned(points), colour.stroke_width(2))])?;
        } else {
            chart.draw_series(LineSeries::new(points, colour.stroke_width(2)))?;
        }
    }
    Ok(())
}

/// Of each stretch of points the lowest and the highest: what the eye could see of all of them.
fn thinned(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let stretch = points.len().div_ceil(LINE_POINTS_MAX / 2);
    let by_y = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
    let by_x = |a: &(f64, f64), b: &(f64, f64)| a.0.total_cmp(&b.0);
    points
        .chunks(stretch)
        .flat_map(|chunk| {
            let mut pair: Vec<_> = [chunk.iter().min_by(by_y), chunk.iter().max_by(by_y)]
                .into_iter()
                .flatten()
                .copied()
                .collect();
            pair.sort_by(by_x);
            pair
        })
        .collect()
}

impl Scale {
    /// Where a value lies along the axis.
    fn place(self, value: f64) -> Option<f64> {
        match self {
            _ if !value.is_finite() => None,
            Self::Linear => Some(value),
            Self::Logarithmic => (value > 0.0).then(|| value.log10()),
            Self::Percentile => {
                let beyond = (1.0 - value / 100.0).max(PERCENTILE_BEYOND_MIN);
                (0.0..=100.0).contains(&value).then(|| -beyond.log10())
            }
        }
    }

    fn value(self, place: f64) -> f64 {
        match self {
            Self::Linear => place,
            Self::Logarithmic => 10_f64.powf(place),
            Self::Percentile => 100.0 * (1.0 - 10_f64.powf(-place)),
        }
    }

    fn label(self, place: f64) -> String {
        match self {
            Self::Percentile => {
                let text = format!("{:.5}", self.value(place));
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            }
            Self::Linear | Self::Logarithmic => number::short(self.value(place)),
        }
    }
}

/// The stretch of an axis that is shown, and where its labels are.
struct Span {
    from: f64,
    to: f64,
    labels: Vec<f64>,
}

impl Span {
    fn of(places: impl Iterator<Item = f64>, scale: Scale) -> Self {
        let (low, high) = places.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), place| {
            (low.min(place), high.max(place))
        });
        let (low, high) = if low > high { (0.0, 1.0) } else { (low, high) };
        match scale {
            Scale::Linear => Self::linear(low.min(0.0), high),
            Scale::Logarithmic => Self::logarithmic(low, high),
            Scale::Percentile => Self::percentile(high),
        }
    }

    fn linear(low: f64, high: f64) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        let rough = (high - low) / 5.0;
        let magnitude = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0]
            .map(|factor| factor * magnitude)
            .into_iter()
            .find(|step| *step >= rough)
            .unwrap_or(rough);
        let first = (low / step).floor();
        let last = (high / step).ceil();
        Self {
            from: first * step,
            to: last * step,
            labels: counted(first, last).map(|index| index * step).collect(),
        }
    }

    fn logarithmic(low: f64, high: f64) -> Self {
        let (from, to) = (low.floor(), high.ceil().max(low.floor() + 1.0));
        let within: &[f64] = if to - from <= 2.0 {
            &[1.0, 2.0, 5.0]
        } else {
            &[1.0]
        };
        let mut labels: Vec<f64> = counted(from, to)
            .flat_map(|decade| within.iter().map(move |factor| decade + factor.log10()))
            .filter(|place| *place <= to)
            .collect();
        labels.dedup();
        Self { from, to, labels }
    }

    fn percentile(high: f64) -> Self {
        let to = high.ceil().clamp(2.0, -PERCENTILE_BEYOND_MIN.log10());
        // The median has its place between 0 and 90.
        let median = -0.5_f64.log10();
        let labels = [0.0, median].into_iter().chain(counted(1.0, to)).collect();
        Self {
            from: 0.0,
            to,
            labels,
        }
    }
}

impl Ranged for Span {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    #[expect(
        clippy::cast_possible_truncation,
        reason = "a pixel between two given ones"
    )]
    fn map(&self, place: &f64, (first, last): (i32, i32)) -> i32 {
        let share = (place - self.from) / (self.to - self.from);
        first + (f64::from(last - first) * share).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        self.labels.clone()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.from..self.to
    }
}

fn counted(first: f64, last: f64) -> impl Iterator<Item = f64> {
    std::iter::successors(Some(first), |value| Some(value + 1.0))
        .take_while(move |value| *value <= last + 1e-9)
        .take(LABELS_MAX)
}

/// Pixels of the drawing; the page scales it to the width there is.
const SIZE: (u32, u32) = (500, 325);
const LABEL_SIZE: u32 = 17;

/// A line of more points has more than two for each pixel.
const LINE_POINTS_MAX: usize = 1_000;

/// Labels on an axis: more do not fit.
const LABELS_MAX: usize = 40;

/// 99.9999 %: beyond it is the end of the axis, where the maximum (100 %) stands.
const PERCENTILE_BEYOND_MIN: f64 = 1e-6;

// Placeholders: each its own value, so that a rule can find it.
const INK: RGBColor = RGBColor(0x11, 0x11, 0x11);
const GRID: RGBColor = RGBColor(0xDD, 0xDD, 0xDD);
const MARK: RGBColor = RGBColor(0x99, 0x00, 0x11);
const SERIES: [RGBColor; 6] = [
    RGBColor(0x1F, 0x5F, 0xBF),
    RGBColor(0xC2, 0x57, 0x0C),
    RGBColor(0x1B, 0x7F, 0x5C),
    RGBColor(0x7A, 0x4F, 0xBF),
    RGBColor(0x8A, 0x6D, 0x00),
    RGBColor(0x0B, 0x7A, 0x8F),
];
