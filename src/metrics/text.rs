//! The text format of Prometheus, version 0.0.4 ("Exposition formats" in its documentation): what every scraper of it reads.

use super::Reading;
use std::fmt::Write as _;

/// What the format is called in HTTP.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Labels of a sample: name and value.
pub(super) type Labels<'a> = &'a [(&'a str, &'a str)];

/// Families of samples, written one after the other.
#[derive(Debug, Default)]
pub struct Text {
    out: String,
}

impl Text {
    /// A family of numbers that only grow; its name ends with `_total`.
    pub fn counter(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, "counter", help)
    }

    /// A family of numbers that go up and down.
    pub fn gauge(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, "gauge", help)
    }

    /// A family of durations in seconds; its name ends with `_seconds`.
    pub fn histogram(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, "histogram", help)
    }

    /// All of it.
    #[must_use]
    pub fn finish(self) -> String {
        self.out
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) -> Family<'_> {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
        Family { name: name.to_owned(), text: self }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a `String` does not fail.
        writeln!(self.out, "{line}").ok();
    }
}

/// The samples of one family.
#[derive(Debug)]
pub struct Family<'a> {
    name: String,
    text: &'a mut Text,
}

impl Family<'_> {
    /// One number.
    pub fn value(&mut self, labels: Labels<'_>, value: u64) -> &mut Self {
        let Self { name, text } = self;
        text.line(format_args!("{name}{} {value}", shown(labels, None)));
        self
    }

    /// One histogram: its buckets, the last one `+Inf`, its sum and its count.
    pub fn durations(&mut self, labels: Labels<'_>, reading: &Reading) -> &mut Self {
        let Self { name, text } = self;
        for (bound, count) in &reading.up_to {
            text.line(format_args!("{name}_bucket{} {count}", shown(labels, Some(&seconds(*bound)))));
        }
        text.line(format_args!("{name}_bucket{} {}", shown(labels, Some("+Inf")), reading.count));
        text.line(format_args!("{name}_sum{} {}", shown(labels, None), seconds(reading.sum_ns)));
        text.line(format_args!("{name}_count{} {}", shown(labels, None), reading.count));
        self
    }
}

fn shown(labels: Labels<'_>, le: Option<&str>) -> String {
    let quoted = |(name, value): &(&str, &str)| {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        format!("{name}=\"{value}\"")
    };
    let le = le.map(|le| ("le", le));
    let all: Vec<String> = labels.iter().chain(&le).map(quoted).collect();
    if all.is_empty() { String::new() } else { format!("{{{}}}", all.join(",")) }
}

/// Nanoseconds as seconds, to the last digit that there is.
fn seconds(ns: u64) -> String {
    let (whole, part) = (ns.checked_div(1_000_000_000), ns.checked_rem(1_000_000_000));
    let text = format!("{}.{:09}", whole.unwrap_or_default(), part.unwrap_or_default());
    let text = text.trim_end_matches('0');
    text.strip_suffix('.').unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_of_each_kind() {
        let mut text = Text::default();
        text.counter("a_total", "Line\nand \\").value(&[], 7).value(&[("x", "\"q\"\n\\")], 8);
        let reading =
            Reading { up_to: vec![(1_000, 1), (2_000_000_000, 2)], count: 3, sum_ns: 12_500_000_000 };
        text.histogram("b_seconds", "B").durations(&[("y", "z")], &reading);
        let wanted = "# HELP a_total Line\\nand \\\\\n# TYPE a_total counter\na_total 7\na_total{x=\"\\\"q\\\"\\n\\\\\"} 8\n\
            # HELP b_seconds B\n# TYPE b_seconds histogram\nb_seconds_bucket{y=\"z\",le=\"0.000001\"} 1\n\
            b_seconds_bucket{y=\"z\",le=\"2\"} 2\nb_seconds_bucket{y=\"z\",le=\"+Inf\"} 3\n\
            b_seconds_sum{y=\"z\"} 12.5\nb_seconds_count{y=\"z\"} 3\n";
        assert_eq!(text.finish(), wanted);
    }
}
