//! The plot: the time of a full reload and the cost of a new flow, by the number of hosts.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result};
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::figures::{Figure, Figures};
use crate::support::grouped;
use crate::workload::Mix;

const WIDTH: u32 = 960;
const HEIGHT: u32 = 520;
/// The position of the time axis.
const LEFT: i32 = 76;
const FONT: &str = "sans-serif";

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// One diagram.
struct Panel {
    title: &'static str,
    curves: &'static [(&'static str, Figure, RGBColor)],
}

const BLUE: RGBColor = RGBColor(0x00, 0x72, 0xb2);
const SKY: RGBColor = RGBColor(0x56, 0xb4, 0xe9);
const ORANGE: RGBColor = RGBColor(0xd5, 0x5e, 0x00);
const GREEN: RGBColor = RGBColor(0x00, 0x9e, 0x73);
const PURPLE: RGBColor = RGBColor(0xcc, 0x79, 0xa7);
const GREY: RGBColor = RGBColor(0x77, 0x77, 0x77);

const PANELS: [Panel; 2] = [
    Panel {
        title: "Reload, every source changed",
        curves: &[
            ("one iptables per rule", Figure::Script, PURPLE),
            ("iptables-restore, newest", Figure::RestoreNewest, ORANGE),
            ("nft -f, one set, newest", Figure::NftNewest, GREEN),
            ("ipset restore", Figure::Ipset, BLACK),
            ("dwnl apply", Figure::DwnlReload, BLUE),
            ("dwnl apply, one changed", Figure::DwnlOneChange, SKY),
            ("floor: the batch alone", Figure::Floor, GREY),
        ],
    },
    Panel {
        title: "New flow, source not allowed",
        curves: &[
            ("iptables rules", Figure::FlowIptables, ORANGE),
            ("dwnl's policy", Figure::FlowDwnl, BLUE),
            ("empty policy", Figure::FlowEmpty, GREY),
        ],
    },
];

/// Draws all diagrams into one file.
pub fn draw(path: &Path, figures: &Figures) -> Result<()> {
    let root = SVGBackend::new(path, (WIDTH, HEIGHT)).into_drawing_area();
    root.fill(&WHITE)?;
    for (area, panel) in root.split_evenly((1, PANELS.len())).iter().zip(&PANELS) {
        panel.draw_head(area)?;
        panel.draw_curves(area, figures)?;
    }
    root.present()?;
    Ok(())
}

impl Panel {
    /// The title and the legend, in two columns.
    fn draw_head(&self, area: &Area) -> Result<()> {
        area.draw(&Text::new(self.title, (LEFT, 14), (FONT, 18)))?;
        for (index, &(label, _, colour)) in (0..).zip(self.curves) {
            let (x, y) = (LEFT + index % 2 * 190, 48 + index / 2 * 20);
            area.draw(&PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(3)))?;
            area.draw(&Text::new(label, (x + 28, y - 6), (FONT, 13)))?;
        }
        Ok(())
    }

    fn draw_curves(&self, area: &Area, figures: &Figures) -> Result<()> {
        let curves: Vec<_> = self
            .curves
            .iter()
            .map(|&(_, figure, colour)| (figures.curve(figure, Mix::Hosts), colour))
            .collect();
        let points = || curves.iter().flat_map(|(curve, _)| curve);
        let hosts = decades(points().map(|point| point.0))?;
        let times = decades(points().map(|point| point.1))?;
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .margin_top(112)
            .margin_right(32)
            .x_label_area_size(42)
            .y_label_area_size(LEFT - 12)
            .build_cartesian_2d(hosts.clone().log_scale(), times.clone().log_scale())?;
        chart
            .configure_mesh()
            .x_desc("allowed hosts")
            .y_desc("time")
            .x_labels(labels(&hosts))
            .y_labels(labels(&times))
            .x_label_formatter(&|hosts| grouped(hosts.round() as usize))
            .y_label_formatter(&|seconds| decade_of_time(*seconds))
            .label_style((FONT, 12))
            .axis_desc_style((FONT, 14))
            .draw()?;
        for (curve, colour) in curves {
            let style = colour.filled().stroke_width(2);
            chart.draw_series(LineSeries::new(curve, style).point_size(3))?;
        }
        Ok(())
    }
}

/// The decades that cover all values.
fn decades(values: impl Iterator<Item = f64> + Clone) -> Result<Range<f64>> {
    let least = values.clone().reduce(f64::min).context("nothing to draw")?;
    let most = values.reduce(f64::max).context("nothing to draw")?;
    Ok(10f64.powf(least.log10().floor())..10f64.powf(most.log10().ceil()))
}

/// One label for each decade.
fn labels(range: &Range<f64>) -> usize {
    (range.end / range.start).log10().round() as usize + 1
}

/// `100 ms`
fn decade_of_time(seconds: f64) -> String {
    let (unit, value) = match seconds {
        0.99.. => ("s", seconds),
        0.99e-3.. => ("ms", seconds * 1e3),
        _ => ("µs", seconds * 1e6),
    };
    format!("{value:.0} {unit}")
}
