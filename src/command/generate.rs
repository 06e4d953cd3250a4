//! Documents made from the tables that the program itself runs on.

use std::fmt::Write as _;

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

use crate::{
    cli::{Document, Flags},
    metrics::catalogue,
    rules,
};

/// The text of a document.
///
/// # Panics
/// Never: what makes the pages writes to memory, and panics where writing fails.
#[must_use]
pub fn document(document: &Document) -> String {
    let (mut command, mut out) = (Flags::command(), Vec::new());
    let shell = match document {
        Document::Metrics => return metrics(),
        Document::Alerts(flags) => return rules::alerts(&flags.settings()),
        Document::Man => {
            clap_mangen::Man::new(command).render(&mut out).expect("memory can be written to");
            return text(out);
        }
        Document::CompleteBash => Shell::Bash,
        Document::CompleteFish => Shell::Fish,
        Document::CompleteZsh => Shell::Zsh,
    };
    generate(shell, &mut command, "aws-mfa-exporter", &mut out);
    text(out)
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("a document made of texts is one")
}

/// The page on metrics.
fn metrics() -> String {
    let mut page = String::from(
        "# Metrics\n\nThis page is the output of `aws-mfa-exporter generate metrics`. A test compares the two.\n\n\
         A fact is absent while it is unknown. A verdict always shows all four states. No sample carries a timestamp of its own: the metrics `…_timestamp_seconds` say when the exporter read AWS. Text 0.0.4 and OpenMetrics 1.0 hold the same samples.\n\n\
         | metric | type | labels | meaning |\n| --- | --- | --- | --- |\n",
    );
    for metric in catalogue() {
        let labels = metric.labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        let _ = writeln!(page, "| `{}` | {} | {labels} | {} |", metric.name, metric.kind.as_str(), metric.help);
    }
    page.push_str(
        "\nThe exporter also has the `process_*` metrics of the Prometheus client library. `--web.disable-exporter-metrics` hides them \
         and the `_http_` ones.\n\n## Faults\n\nThe values of the label `fault`, and what to do.\n\n| fault | what to do |\n| --- | --- |\n",
    );
    for class in crate::model::facts::FaultClass::ALL {
        let _ = writeln!(page, "| `{class}` | {} |", class.remedy());
    }
    page
}
