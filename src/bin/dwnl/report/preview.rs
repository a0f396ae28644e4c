//! What an apply would mean for sources, ports and flows.

use std::io::{self, Write};

use dwnl::engine::FlowPreview;
use dwnl::model::PublishedPort;
use serde::Serialize;

use super::access::AccessReport;
use super::count::Count;
use super::published::{serialize_published, write_uncovered};

/// What an apply would mean.
#[derive(Debug, Serialize)]
pub struct PreviewReport {
    /// Which sources gain and lose access.
    #[serde(flatten)]
    pub access: AccessReport,
    /// Existing flows.
    #[serde(flatten)]
    pub flows: FlowsReport,
    /// Published ports that no entry of the policy covers.
    #[serde(serialize_with = "serialize_published")]
    pub uncovered_ports: Vec<PublishedPort>,
}

/// [`FlowPreview`] as JSON; null if conntrack could not be read.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct FlowsReport {
    flows_to_clear: Option<usize>,
    flows_to_terminate: Option<usize>,
    flows_kept: Option<usize>,
}

impl From<Option<FlowPreview>> for FlowsReport {
    fn from(preview: Option<FlowPreview>) -> FlowsReport {
        FlowsReport {
            flows_to_clear: preview.map(|preview| preview.cleared),
            flows_to_terminate: preview.map(|preview| preview.terminated),
            flows_kept: preview.map(|preview| preview.kept),
        }
    }
}

impl PreviewReport {
    /// Writes nothing about what does not change.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.access.write(out)?;
        write_uncovered(out, &self.uncovered_ports)?;
        self.flows.write(out)
    }
}

impl FlowsReport {
    fn write(self, out: &mut dyn Write) -> io::Result<()> {
        let [clear, terminate, kept] =
            [self.flows_to_clear, self.flows_to_terminate, self.flows_kept]
                .map(|it| it.unwrap_or(0));
        if clear > 0 || terminate > 0 {
            let (cleared, terminated) =
                (Count(clear, "rejected flow"), Count(terminate, "established flow"));
            writeln!(out, "conntrack: {cleared} to clear, {terminated} to terminate")?;
        }
        if kept > 0 {
            let (flows, verb) =
                (Count(kept, "established flow"), if kept == 1 { "stays" } else { "stay" });
            writeln!(
                out,
                "conntrack: {flows} without access {verb} open; `established = \"cut\"` in [revoke] \
                 would terminate them"
            )?;
        }
        Ok(())
    }
}
