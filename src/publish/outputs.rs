//! All outputs of the daemon, as the configuration wants them.

use std::fmt;
use std::path::Path;

use super::published_file::{Medium, PublishedFile};
use super::{PublishError, REPORT, Snapshot, feature_file, metrics};
use crate::config;
use crate::report::{json, prometheus};

const FEATURES: &str = "ccgpu-node";
const TEXTFILE: &str = "ccgpu-node.prom";

/// Who publishes, as the report says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// The kernel's name for this boot: uptimes of another boot cannot be compared.
    pub boot_id: String,
    pub pid: u32,
}

/// Which of the outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Output {
    Report,
    Features,
    Textfile,
    Metrics,
}

impl fmt::Display for Output {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Report => "report",
            Self::Features => "nfd",
            Self::Textfile => "textfile",
            Self::Metrics => "metrics",
        })
    }
}

/// The outputs that are switched on.
#[derive(Debug)]
pub struct Outputs {
    author: Author,
    report: PublishedFile,
    files: Files,
    metrics: Option<metrics::Served>,
}

/// The files that a configuration asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Files {
    features: Option<(PublishedFile, bool)>,
    textfile: Option<PublishedFile>,
}

impl Files {
    fn of(config: &config::Publish) -> Self {
        let features = config.nfd.as_ref().map(|nfd| {
            let file = PublishedFile::new(&nfd.directory, FEATURES, Medium::Disk);
            (file, nfd.workload_config)
        });
        let textfile = config.textfile.as_ref();
        let textfile = textfile
            .map(|textfile| PublishedFile::new(&textfile.directory, TEXTFILE, Medium::Disk));
        Self { features, textfile }
    }

    fn each(&self) -> impl Iterator<Item = (Output, &PublishedFile)> {
        let features = self.features.iter().map(|(file, _)| (Output::Features, file));
        features.chain(self.textfile.iter().map(|file| (Output::Textfile, file)))
    }
}

/// How it went with each output that was touched.
type Outcomes = Vec<(Output, Result<(), PublishError>)>;

impl Outputs {
    /// Touches nothing yet. `runtime` is the directory of the report, which must be there.
    pub fn new(config: &config::Publish, runtime: &Path, author: Author) -> Self {
        Self {
            author,
            report: PublishedFile::new(runtime, REPORT, Medium::Memory),
            files: Files::of(config),
            metrics: config.metrics.map(metrics::Served::new),
        }
    }

    /// Takes over another configuration; what is no longer wanted is removed.
    pub fn configure(&mut self, config: &config::Publish) -> Outcomes {
        let files = Files::of(config);
        let old = std::mem::replace(&mut self.files, files);
        if self.metrics.as_ref().map(metrics::Served::address) != config.metrics {
            self.metrics = config.metrics.map(metrics::Served::new);
        }
        let kept: Vec<&PublishedFile> = self.files.each().map(|(_, file)| file).collect();
        let gone = old.each().filter(|(_, file)| !kept.contains(file));
        gone.map(|(output, file)| (output, file.remove())).collect()
    }

    /// Tells all outputs, and says of each how it went; one that fails never stops the others, and is
    /// tried again with the next snapshot. The report comes first, and waits for no disk. To be called
    /// inside a runtime, which serves the metrics.
    pub fn publish(&mut self, snapshot: &Snapshot<'_>) -> Outcomes {
        let mut outcomes = vec![(Output::Report, self.put_report(snapshot))];
        if let Some((file, workload_config)) = &self.files.features {
            let outcome = match feature_file::render(snapshot, *workload_config) {
                Some(text) => file.put(text.as_bytes()),
                // What stands there would outlive its truth.
                None => file.remove().and(Err(PublishError::NoTime { path: file.path() })),
            };
            outcomes.push((Output::Features, outcome));
        }
        if self.files.textfile.is_none() && self.metrics.is_none() {
            return outcomes;
        }
        let mut text = Vec::new();
        let rendered = prometheus::render_snapshot(snapshot, &mut text);
        if let Some(file) = &self.files.textfile {
            let rendered =
                rendered.map_err(|source| PublishError::Render { path: file.path(), source });
            outcomes.push((Output::Textfile, rendered.and_then(|()| file.put(&text))));
        }
        if let Some(served) = &mut self.metrics {
            let until = snapshot.judged.uptime.saturating_add(snapshot.judged.valid_for);
            outcomes.push((Output::Metrics, served.show(text, until)));
        }
        outcomes
    }

    /// Removes all that was written, and ends the listener: what was said of this host holds no longer.
    pub fn withdraw(&mut self) -> Outcomes {
        self.end(|_| true)
    }

    /// Ends as a service that is likely to come back, as at every upgrade: the labels are left to end by
    /// themselves. If they went and came back, the GPU Operator would take down what it built on them,
    /// and the GPUs of a whole fleet would be gone for minutes.
    pub fn stop(&mut self) -> Outcomes {
        self.end(|output| output != Output::Features)
    }

    fn end(&mut self, removed: impl Fn(Output) -> bool) -> Outcomes {
        self.metrics = None;
        let report = std::iter::once((Output::Report, &self.report));
        let all = report.chain(self.files.each()).filter(|(output, _)| removed(*output));
        all.map(|(output, file)| (output, file.remove())).collect()
    }

    fn put_report(&self, snapshot: &Snapshot<'_>) -> Result<(), PublishError> {
        let mut bytes = Vec::new();
        json::render_snapshot(snapshot, &self.author, &mut bytes)
            .map_err(|source| PublishError::Render { path: self.report.path(), source })?;
        self.report.put(&bytes)
    }
}

#[cfg(test)]
#[path = "outputs_tests.rs"]
mod tests;
