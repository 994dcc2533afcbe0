//! Limits on a fragment's size and names, so that no question is too large to check or to run (`R02`).

use jigsaw_proto::expr::{Expr, MAX_DEPTH, Value};
use jigsaw_proto::fragment::{Fragment, Measure, Relation};
use jigsaw_proto::function::Function;
use jigsaw_proto::refusal::{Refusal, RefusalCode};

const MAX_EXPRESSIONS: usize = 4096;
const MAX_RELATIONS: usize = 32;
const MAX_SCANS: usize = 8;
const MAX_LIST: usize = 1000;
const MAX_TEXT_BYTES: usize = 4096;

/// Checks the limits, and says whether a regular expression is in it.
pub(super) fn check(fragment: &Fragment) -> Result<bool, Refusal> {
    let mut size = Size::default();
    size.relation(&fragment.input)?;
    for expr in fragment.keys.iter().chain(fragment.measures.iter().flat_map(Measure::exprs)) {
        size.expr(expr)?;
    }
    Ok(size.patterns)
}

fn too(what: &str, limit: usize) -> Refusal {
    Refusal::new(
        RefusalCode::NotInLanguage,
        format!("the question has more than {limit} {what}: ask a smaller one"),
    )
}

/// A name is text that a person can read in the audit log; control characters are the engine's own.
fn name(name: &str) -> Result<(), Refusal> {
    if name.len() > MAX_TEXT_BYTES {
        return Err(too("bytes in a name", MAX_TEXT_BYTES));
    }
    if name.is_empty() || name.contains(char::is_control) {
        let message = "a name in the question is empty or holds a control character: use printable names";
        return Err(Refusal::new(RefusalCode::NotInLanguage, message));
    }
    Ok(())
}

#[derive(Default)]
struct Size {
    expressions: usize,
    relations: usize,
    scans: usize,
    patterns: bool,
}

impl Size {
    fn relation(&mut self, relation: &Relation) -> Result<(), Refusal> {
        self.relations += 1;
        if self.relations > MAX_RELATIONS {
            return Err(too("relations", MAX_RELATIONS));
        }
        match relation {
            Relation::Scan { alias, .. } => {
                name(alias)?;
                self.scans += 1;
                if self.scans > MAX_SCANS { Err(too("tables", MAX_SCANS)) } else { Ok(()) }
            }
            Relation::Filter { input, predicate } => {
                self.expr(predicate)?;
                self.relation(input)
            }
            Relation::Project { input, alias, columns } => {
                name(alias)?;
                for (column, expr) in columns {
                    name(column)?;
                    self.expr(expr)?;
                }
                self.relation(input)
            }
            Relation::Join(join) => {
                if let Some(filter) = &join.filter {
                    self.expr(filter)?;
                }
                self.relation(&join.left)?;
                self.relation(&join.right)
            }
            Relation::UnionAll { alias, inputs } => {
                name(alias)?;
                inputs.iter().try_for_each(|input| self.relation(input))
            }
            Relation::Aggregate { input, alias, keys, measures } => {
                name(alias)?;
                for (column, key) in keys {
                    name(column)?;
                    self.expr(key)?;
                }
                for (column, measure) in measures {
                    name(column)?;
                    measure.exprs().try_for_each(|expr| self.expr(expr))?;
                }
                self.relation(input)
            }
        }
    }

    fn expr(&mut self, expr: &Expr) -> Result<(), Refusal> {
        if expr.depth() > MAX_DEPTH {
            return Err(too("levels of nesting", MAX_DEPTH));
        }
        let (mut list, mut text) = (0, 0);
        expr.walk(&mut |part| {
            self.expressions += 1;
            match part {
                Expr::InList { list: items, .. } => list = list.max(items.len()),
                Expr::Call { function: Function::RegexpLike, .. } => self.patterns = true,
                Expr::Like { pattern, .. } => text = text.max(pattern.len()),
                Expr::Literal(literal) => {
                    if let Some(Value::Text(value)) = literal.value() {
                        text = text.max(value.len());
                    }
                }
                _ => {}
            }
        });
        if self.expressions > MAX_EXPRESSIONS {
            return Err(too("expressions", MAX_EXPRESSIONS));
        }
        if list > MAX_LIST {
            return Err(too("values in a list", MAX_LIST));
        }
        if text > MAX_TEXT_BYTES { Err(too("bytes in a text", MAX_TEXT_BYTES)) } else { Ok(()) }
    }
}
