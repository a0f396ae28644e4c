//! The plot: the time of a full reload and the cost of a new flow, by the number of hosts.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result};
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::figures::{Figure, Figures};
use crate::report::{duration, grouped};
use crate::workload::Mix;

const WIDTH: u32 = 960;
const HEIGHT: u32 = 460;
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
            ("iptables-restore", Figure::Restore, ORANGE),
            ("nft -f, one set", Figure::Nft, GREEN),
            ("dwnl apply", Figure::DwnlReload, BLUE),
            ("dwnl apply, one changed", Figure::DwnlOneChange, SKY),
            ("floor: the batch alone", Figure::Floor, GREY),
        ],
    },
    Panel {
        title: "New flow, source not allowed",
        curves: &[
            ("rules of iptables", Figure::FlowIptables, ORANGE),
            ("policy of dwnl", Figure::FlowDwnl, BLUE),
            ("empty policy", Figure::FlowEmpty, GREY),
        ],
    },
];

/// Draws all diagrams into one file.
pub fn draw(path: &Path, figures: &Figures) -> Result<()> {
    let root = SVGBackend::new(path, (WIDTH, HEIGHT)).into_drawing_area();
    root.fill(&WHITE)?;
    for (area, panel) in root.split_evenly((1, PANELS.len())).iter().zip(&PANELS) {
        panel.draw(area, figures)?;
    }
    root.present()?;
    Ok(())
}

impl Panel {
    fn draw(&self, area: &Area, figures: &Figures) -> Result<()> {
        let curve = |figure| figures.curve(figure, Mix::Hosts);
        let points: Vec<(f64, f64)> =
            self.curves.iter().flat_map(|curve_of| curve(curve_of.1)).collect();
        let mut chart = ChartBuilder::on(area)
            .caption(self.title, (FONT, 18))
            .margin(12)
            .x_label_area_size(42)
            .y_label_area_size(72)
            .build_cartesian_2d(
                decades(points.iter().map(|point| point.0))?.log_scale(),
                decades(points.iter().map(|point| point.1))?.log_scale(),
            )?;
        chart
            .configure_mesh()
            .x_desc("allowed hosts")
            .y_desc("time")
            .x_label_formatter(&|hosts| grouped(hosts.round() as usize))
            .y_label_formatter(&|seconds| duration(*seconds))
            .label_style((FONT, 12))
            .axis_desc_style((FONT, 14))
            .draw()?;
        for &(label, figure, colour) in self.curves {
            let line = LineSeries::new(curve(figure), colour.stroke_width(2)).point_size(3);
            chart.draw_series(line)?.label(label).legend(move |(x, y)| {
                PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2))
            });
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.85))
            .border_style(GREY)
            .label_font((FONT, 12))
            .draw()?;
        Ok(())
    }
}

/// The whole decades that hold all values.
fn decades(values: impl Iterator<Item = f64> + Clone) -> Result<Range<f64>> {
    let least = values.clone().reduce(f64::min).context("nothing to draw")?;
    let most = values.reduce(f64::max).context("nothing to draw")?;
    Ok(10f64.powf(least.log10().floor())..10f64.powf(most.log10().ceil()))
}
