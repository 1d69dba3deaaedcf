//! What Prometheus scrapes: one registry, owned by the process.
//!
//! Each room declares its metrics as one struct, with [`metrics!`](crate::metrics!). Names and
//! units follow the Prometheus conventions. Every label has a small, fixed set
//! of values; counter names, users and addresses are never labels.

use std::marker::PhantomData;

use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, TextEncoder, core::Collector, process_collector::ProcessCollector,
};

use crate::release::{REVISION, VERSION};

/// Every metric of the process.
#[derive(Debug)]
pub struct Registry(prometheus::Registry);

impl Registry {
    /// A registry with what is the same for every process: its build and what the system
    /// knows of it. The rooms add theirs.
    ///
    /// # Errors
    ///
    /// If two metrics have the same name.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Self(prometheus::Registry::new());
        let build = Opts::new(
            "footfall_build_info",
            "Always 1; the labels tell what is running.",
        )
        .const_label("version", VERSION)
        .const_label("revision", REVISION);
        registry.add(Gauge::with_opts(build)?)?.set(1.0);
        registry
            .0
            .register(Box::new(ProcessCollector::for_self()))?;
        Ok(registry)
    }

    /// Adds a metric that was made elsewhere.
    pub(crate) fn add<C: Collector + Clone + 'static>(
        &self,
        collector: C,
    ) -> prometheus::Result<C> {
        self.0.register(Box::new(collector.clone()))?;
        Ok(collector)
    }

    /// The text exposition format, version 0.0.4.
    ///
    /// # Errors
    ///
    /// If a metric cannot be written in it.
    pub fn render(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.0.gather())
    }
}

/// What is said of a metric where it is declared.
#[derive(Debug, Clone, Copy)]
pub struct Description {
    name: &'static str,
    help: &'static [&'static str],
    labels: &'static [&'static str],
    buckets: &'static [f64],
}

impl Description {
    /// A metric of this name; its HELP text is the doc comment, line by line.
    pub const fn new(name: &'static str, help: &'static [&'static str]) -> Self {
        Self {
            name,
            help,
            labels: &[],
            buckets: &[],
        }
    }

    /// With these labels.
    #[must_use]
    pub const fn by(mut self, labels: &'static [&'static str]) -> Self {
        self.labels = labels;
        self
    }

    /// With these upper bounds of its buckets.
    #[must_use]
    pub const fn within(mut self, buckets: &'static [f64]) -> Self {
        self.buckets = buckets;
        self
    }

    fn opts(&self) -> Opts {
        let lines: Vec<_> = self.help.iter().map(|line| line.trim()).collect();
        Opts::new(self.name, lines.join(" "))
    }

    /// A counter for each set of labels, which is not registered yet.
    pub(crate) fn counters(&self) -> prometheus::Result<IntCounterVec> {
        IntCounterVec::new(self.opts(), self.labels)
    }

    fn histogram(&self) -> HistogramOpts {
        HistogramOpts::from(self.opts()).buckets(self.buckets.to_vec())
    }
}

/// A kind of metric.
pub trait Metric: Sized {
    /// Makes a metric and adds it to the registry.
    ///
    /// # Errors
    ///
    /// If its name is taken, or is none.
    fn register(description: &Description, registry: &Registry) -> prometheus::Result<Self>;
}

impl Metric for IntCounter {
    fn register(description: &Description, registry: &Registry) -> prometheus::Result<Self> {
        registry.add(Self::with_opts(description.opts())?)
    }
}

impl Metric for IntGauge {
    fn register(description: &Description, registry: &Registry) -> prometheus::Result<Self> {
        registry.add(Self::with_opts(description.opts())?)
    }
}

impl Metric for Gauge {
    fn register(description: &Description, registry: &Registry) -> prometheus::Result<Self> {
        registry.add(Self::with_opts(description.opts())?)
    }
}

impl Metric for Histogram {
    fn register(description: &Description, registry: &Registry) -> prometheus::Result<Self> {
        registry.add(Self::with_opts(description.histogram())?)
    }
}

impl Metric for IntCounterVec {
    fn register(description: &Description, registry: &Registry) -> prometheus::Result<Self> {
        registry.add(description.counters()?)
    }
}

impl Metric for IntGaugeVec {
    fn register(description: &Description, registry: &Registry) -> prometheus::Result<Self> {
        registry.add(Self::new(description.opts(), description.labels)?)
    }
}

impl Metric for HistogramVec {
    fn register(description: &Description, registry: &Registry) -> prometheus::Result<Self> {
        registry.add(Self::new(description.histogram(), description.labels)?)
    }
}

/// The values of one label. To be declared with [`label!`](crate::label!).
pub trait Label: Copy + 'static {
    /// The name of the label.
    const NAME: &'static str;
    /// All values, in the order of [`Label::index`].
    const ALL: &'static [Self];
    /// The place of this value among all.
    fn index(self) -> usize;
    /// The value as it stands in the series.
    fn value(self) -> &'static str;
}

/// A counter for each value of a label. All are there from the start: a rate over a series that
/// appears with its first event misses that event.
#[derive(Debug, Clone)]
pub struct CountersBy<L> {
    counters: Vec<IntCounter>,
    label: PhantomData<L>,
}

impl<L: Label> CountersBy<L> {
    /// The counter of this value.
    pub fn of(&self, value: L) -> &IntCounter {
        &self.counters[value.index()]
    }
}

impl<L: Label> Metric for CountersBy<L> {
    fn register(description: &Description, registry: &Registry) -> prometheus::Result<Self> {
        let all = registry.add(IntCounterVec::new(description.opts(), &[L::NAME])?)?;
        let counter = |value: &L| all.with_label_values(&[value.value()]);
        Ok(Self {
            counters: L::ALL.iter().map(counter).collect(),
            label: PhantomData,
        })
    }
}

/// Declares the metrics of a room as a struct. The doc comment of a field is its HELP text.
///
/// ```
/// use footfall::telemetry::metrics::Registry;
/// use prometheus::{Histogram, IntCounter};
///
/// footfall::metrics! {
///     /// What the door tells.
///     pub struct DoorMetrics {
///         /// Times the door was opened.
///         pub opened: IntCounter = "door_opened_total",
///         /// How long it stayed open.
///         pub open: Histogram = "door_open_seconds" in &[0.1, 1.0, 10.0],
///     }
/// }
///
/// let registry = Registry::new()?;
/// let door = DoorMetrics::register(&registry)?;
/// door.opened.inc();
/// let text = registry.render()?;
/// assert!(text.contains("# HELP door_opened_total Times the door was opened."));
/// # Ok::<(), prometheus::Error>(())
/// ```
#[macro_export]
macro_rules! metrics {
    (
        $(#[$about:meta])*
        $visible:vis struct $name:ident {
            $(
                $(#[doc = $help:literal])+
                $field_visible:vis $field:ident: $kind:ty = $metric:literal $(by $labels:tt)? $(in $buckets:expr)?,
            )+
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone)]
        $visible struct $name {
            $($(#[doc = $help])+ $field_visible $field: $kind,)+
        }

        impl $name {
            /// Adds these metrics to the registry.
            ///
            /// # Errors
            ///
            /// If a metric of the same name is there.
            $visible fn register(
                registry: &$crate::telemetry::metrics::Registry,
            ) -> prometheus::Result<Self> {
                use $crate::telemetry::metrics::{Description, Metric};
                Ok(Self {
                    $($field: <$kind as Metric>::register(
                        &Description::new($metric, &[$($help),+])
                            $(.by(&$labels))?
                            $(.within($buckets))?,
                        registry,
                    )?,)+
                })
            }

            /// Metrics that nobody looks at, for commands and tests.
            ///
            /// # Errors
            ///
            /// As [`register`](Self::register).
            #[allow(dead_code, reason = "not every room has commands")]
            $visible fn detached() -> prometheus::Result<Self> {
                Self::register(&$crate::telemetry::metrics::Registry::new()?)
            }
        }
    };
}

/// Declares the values of a label as an enum: `pub enum Outcome as "outcome" { /// … Sent = "sent", }`.
#[macro_export]
macro_rules! label {
    (
        $(#[$about:meta])*
        $visible:vis enum $name:ident as $label:literal {
            $($(#[$doc:meta])+ $variant:ident = $value:literal,)+
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $visible enum $name { $($(#[$doc])+ $variant,)+ }

        impl $crate::telemetry::metrics::Label for $name {
            const NAME: &'static str = $label;
            const ALL: &'static [Self] = &[$(Self::$variant,)+];

            fn index(self) -> usize {
                self as usize
            }

            fn value(self) -> &'static str {
                match self { $(Self::$variant => $value,)+ }
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::label! {
        enum Way as "way" {
            /// Inwards.
            In = "in",
            /// Outwards.
            Out = "out",
        }
    }

    crate::metrics! {
        struct DoorMetrics {
            /// Times somebody went through,
            /// by way.
            passed: CountersBy<Way> = "door_passed_total",
            /// How long it was open.
            open: HistogramVec = "door_open_seconds" by ["key"] in &[1.0, 2.0],
        }
    }

    #[test]
    fn each_value_of_a_label_is_there_from_the_start() {
        let registry = Registry::new().unwrap();
        let door = DoorMetrics::register(&registry).unwrap();
        door.passed.of(Way::Out).inc();
        door.open.with_label_values(&["k"]).observe(1.5);
        let text = registry.render().unwrap();
        for line in [
            "# HELP door_passed_total Times somebody went through, by way.",
            r#"door_passed_total{way="in"} 0"#,
            r#"door_passed_total{way="out"} 1"#,
            r#"door_open_seconds_bucket{key="k",le="1"} 0"#,
            r#"door_open_seconds_bucket{key="k",le="2"} 1"#,
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }

    #[test]
    fn a_name_is_registered_once() {
        let registry = Registry::new().unwrap();
        assert!(DoorMetrics::register(&registry).is_ok());
        assert!(DoorMetrics::register(&registry).is_err());
    }
}
