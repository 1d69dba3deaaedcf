//! What a PromQL expression asks for, held against what Prometheus has.

use std::collections::{BTreeMap, BTreeSet};

use promql_parser::{
    label::{MatchOp, Matcher},
    parser::{
        AggregateExpr, BinaryExpr, Call, Expr, LabelModifier, VectorMatchCardinality,
        VectorSelector,
    },
};
use serde_json::Value;

type Labels = BTreeSet<String>;

/// The metrics Prometheus has, their labels, and the values of these.
pub struct Known(BTreeMap<String, BTreeMap<String, BTreeSet<String>>>);

impl Known {
    /// From the label sets of all series.
    pub fn new(series: &[Value]) -> Self {
        let mut known = BTreeMap::<_, BTreeMap<_, BTreeSet<_>>>::new();
        for labels in series.iter().map(|series| series.as_object().unwrap()) {
            let value = |label: &str| labels[label].as_str().unwrap().to_owned();
            let metric = known.entry(value("__name__")).or_default();
            for label in labels.keys().filter(|label| *label != "__name__") {
                metric
                    .entry(label.clone())
                    .or_default()
                    .insert(value(label));
            }
        }
        Self(known)
    }

    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }

    /// The labels of what the expression gives; `None` if it is a number. An error
    /// says what it asks for in vain.
    pub fn labels(&self, expression: &Expr) -> Result<Option<Labels>, String> {
        match expression {
            Expr::VectorSelector(selector) => self.selector(selector).map(Some),
            Expr::MatrixSelector(matrix) => self.selector(&matrix.vs).map(Some),
            Expr::Paren(paren) => self.labels(&paren.expr),
            Expr::Unary(unary) => self.labels(&unary.expr),
            Expr::Subquery(subquery) => self.labels(&subquery.expr),
            Expr::Aggregate(aggregate) => self.aggregate(aggregate).map(Some),
            Expr::Binary(binary) => self.binary(binary),
            Expr::Call(call) => self.call(call),
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => Ok(None),
        }
    }

    fn selector(&self, selector: &VectorSelector) -> Result<Labels, String> {
        let name = selector.name.as_deref().unwrap_or_default();
        let metric = self.0.get(name);
        let metric = metric.ok_or_else(|| format!("there is no metric {name}"))?;
        for matcher in &selector.matchers.matchers {
            let values = metric.get(&matcher.name);
            let values = values.ok_or_else(|| format!("{name} has no label {:?}", matcher.name))?;
            if !values.iter().any(|value| is_about(matcher, value)) {
                let value = &matcher.value;
                return Err(format!("{name}: {:?} is never {value:?}", matcher.name));
            }
        }
        Ok(metric.keys().cloned().collect())
    }

    fn aggregate(&self, aggregate: &AggregateExpr) -> Result<Labels, String> {
        let inner = self.vector(&aggregate.expr)?;
        match &aggregate.modifier {
            Some(LabelModifier::Include(by)) => subset(&by.labels, &inner),
            Some(LabelModifier::Exclude(without)) => Ok(&inner - &subset(&without.labels, &inner)?),
            // These choose series and leave them as they are.
            None if matches!(aggregate.op.to_string().as_str(), "topk" | "bottomk") => Ok(inner),
            None => Ok(Labels::new()),
        }
    }

    fn call(&self, call: &Call) -> Result<Option<Labels>, String> {
        let mut vectors = Vec::new();
        for argument in &call.args.args {
            vectors.extend(self.labels(argument)?);
        }
        let inner = vectors.pop();
        Ok(match (call.func.name, inner) {
            ("time" | "scalar", _) => None,
            ("vector" | "absent", _) => Some(Labels::new()),
            ("label_replace", Some(mut labels)) => {
                let Expr::StringLiteral(label) = &*call.args.args[1] else {
                    return Err("label_replace without a label".to_owned());
                };
                labels.insert(label.val.clone());
                Some(labels)
            }
            ("histogram_quantile", Some(mut labels)) => {
                if !labels.remove("le") {
                    return Err("histogram_quantile without the label le".to_owned());
                }
                Some(labels)
            }
            (_, inner) => inner,
        })
    }

    fn binary(&self, binary: &BinaryExpr) -> Result<Option<Labels>, String> {
        let (left, right) = (self.labels(&binary.lhs)?, self.labels(&binary.rhs)?);
        let (Some(left), Some(right)) = (left.clone(), right.clone()) else {
            return Ok(left.or(right));
        };
        let operator = binary.op.to_string();
        let modifier = binary.modifier.as_ref();
        let matching = modifier.and_then(|modifier| modifier.matching.as_ref());
        let matched = match matching {
            Some(LabelModifier::Include(on)) => {
                subset(&on.labels, &left)?;
                subset(&on.labels, &right)?
            }
            Some(LabelModifier::Exclude(ignoring)) => {
                let ignored = ignoring.labels.iter().cloned().collect();
                same(&(&left - &ignored), &(&right - &ignored))?
            }
            None if operator == "or" => Labels::new(),
            None => same(&left, &right)?,
        };
        Ok(Some(match modifier.map(|modifier| &modifier.card) {
            Some(VectorMatchCardinality::ManyToOne(more)) => &left | &subset(&more.labels, &right)?,
            Some(VectorMatchCardinality::OneToMany(more)) => &right | &subset(&more.labels, &left)?,
            Some(VectorMatchCardinality::ManyToMany) if operator == "or" => &left | &right,
            Some(VectorMatchCardinality::ManyToMany) => left,
            _ if matching.is_some() => matched,
            _ => left,
        }))
    }

    fn vector(&self, expression: &Expr) -> Result<Labels, String> {
        let labels = self.labels(expression)?;
        labels.ok_or_else(|| format!("{expression} is a number"))
    }
}

/// Whether the matcher names this value, be it to find or to leave it out.
fn is_about(matcher: &Matcher, value: &str) -> bool {
    match matcher.op {
        MatchOp::Equal | MatchOp::Re(_) => matcher.is_match(value),
        MatchOp::NotEqual | MatchOp::NotRe(_) => !matcher.is_match(value),
    }
}

fn subset(labels: &[String], of: &Labels) -> Result<Labels, String> {
    let labels: Labels = labels.iter().cloned().collect();
    match labels.difference(of).next() {
        Some(missing) => Err(format!("there is no label {missing:?} in {of:?}")),
        None => Ok(labels),
    }
}

/// Two sides whose labels differ never match.
fn same(left: &Labels, right: &Labels) -> Result<Labels, String> {
    match left == right {
        true => Ok(left.clone()),
        false => Err(format!("{left:?} never matches {right:?}")),
    }
}

/// What is before each `or vector(0)` and the like: it must have an answer of
/// its own, or the 0 would hide that it asks in vain.
pub fn before_or(expression: &Expr) -> Vec<&Expr> {
    match expression {
        Expr::Paren(paren) => before_or(&paren.expr),
        Expr::Aggregate(aggregate) => before_or(&aggregate.expr),
        Expr::Binary(binary) => {
            let hidden = (binary.op.to_string() == "or").then_some(&*binary.lhs);
            let sides = [&binary.lhs, &binary.rhs];
            let inner = sides.into_iter().flat_map(|side| before_or(side));
            inner.chain(hidden).collect()
        }
        Expr::Call(call) => {
            let arguments = call.args.args.iter();
            arguments.flat_map(|argument| before_or(argument)).collect()
        }
        _ => Vec::new(),
    }
}
