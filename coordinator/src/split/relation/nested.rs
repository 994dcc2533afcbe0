//! Aggregations below the one that is cut: rows of a node made one for each group, to be aggregated again at the node.

use datafusion::logical_expr::{Aggregate as PlanAggregate, Expr as PlanExpr};
use jigsaw_proto::aggregate::{Aggregate, State};
use jigsaw_proto::expr::{BinaryOp, Column, Expr, Literal, Value};
use jigsaw_proto::fragment::{Measure, Relation, Scope};
use jigsaw_proto::function::Function;
use jigsaw_proto::types::DataType;

use super::{Names, RelationBuilder, Result, as_column, column};
use crate::query::QueryError;
use crate::split::aggregate::{Asked, Circumstances, OfStates};
use crate::split::expr::{conform, translate_as_planned};

impl RelationBuilder {
    /// An inner aggregation. Its groups must each be at one node.
    pub(super) fn grouped(&mut self, aggregate: &PlanAggregate) -> Result<(Relation, Names)> {
        let (input, names) = self.relation(&aggregate.input)?;
        let keys = self.inner_keys(aggregate, &names)?;
        self.made += 1;
        let alias = self.alias(&format!("a{}", self.made));
        let mut inner = Inner { alias, names: &names, measures: vec![], columns: vec![], exprs: vec![] };
        for (place, key) in keys.iter().enumerate() {
            let output = Column::new(&inner.alias, format!("k{place}"));
            self.derive(output.clone(), key);
            inner.exprs.push(Expr::Column(output.clone()));
            inner.columns.push((output, names.type_of(key)?));
        }
        let fields = aggregate.schema.fields().iter().skip(keys.len());
        for (call, field) in aggregate.aggr_expr.iter().zip(fields) {
            let known = Circumstances { names: &names, builder: self, complete: true, protected: false };
            let value = match Asked::read(call, known)? {
                Asked::States(asked) => inner.value(&asked)?,
                Asked::Values(_) => return Err(not_below()),
            };
            let found = inner.scope()?.type_of(&value).map_err(|error| QueryError::sql(error.to_string()))?;
            inner.exprs.push(match DataType::from_arrow(field.data_type()) {
                Some(planned) => conform(value, &found, &planned),
                None => value,
            });
        }
        let scope = inner.scope()?;
        let Inner { alias, measures, exprs, .. } = inner;
        let keys = keys.into_iter().enumerate().map(|(place, key)| (format!("k{place}"), key)).collect();
        let relation = Relation::Aggregate { input: Box::new(input), alias, keys, measures };
        Ok((relation, Names::new(&aggregate.schema, exprs, scope)))
    }

    fn inner_keys(&mut self, aggregate: &PlanAggregate, names: &Names) -> Result<Vec<Expr>> {
        let mut keys = vec![];
        for key in &aggregate.group_expr {
            if matches!(key, PlanExpr::GroupingSet(_)) {
                return Err(QueryError::sql(
                    "ROLLUP, CUBE and GROUPING SETS are not answered below another aggregation: aggregate once",
                ));
            }
            keys.push(translate_as_planned(key, names, aggregate.input.schema())?);
        }
        if self.are_at_one_node(&keys) {
            return Ok(keys);
        }
        let entity = keys.iter().find(|key| self.is_entity(key)).and_then(as_column);
        Err(QueryError::sql(entity.map_or_else(
            || {
                "an inner aggregation may need rows of two boroughs at once: add node to its GROUP BY, or aggregate once".to_owned()
            },
            |entity| {
                format!(
                    "an inner GROUP BY {} needs linking people across boroughs, and no borough shows its rows: add node to the inner \
                     GROUP BY to take people of each borough by themselves",
                    entity.name
                )
            },
        )))
    }
}

/// An inner aggregation while it is put together.
struct Inner<'a> {
    alias: String,
    names: &'a Names,
    measures: Vec<(String, Measure)>,
    /// its columns, keys first
    columns: Vec<(Column, DataType)>,
    /// what the columns of the plan are
    exprs: Vec<Expr>,
}

impl Inner<'_> {
    fn scope(&self) -> Result<Scope> {
        Scope::new(self.columns.clone()).map_err(|error| QueryError::internal(error.to_string()))
    }

    /// The column of a state, asked once however often it is needed.
    fn column(&mut self, measure: Measure) -> Result<Expr> {
        let known = self.measures.iter().find(|(_, known)| *known == measure);
        if let Some((name, _)) = known {
            return Ok(column(&self.alias, name));
        }
        let data_type = measure.data_type(self.names.scope());
        let data_type = data_type.map_err(|error| QueryError::sql(error.to_string()))?;
        let name = format!("m{}", self.measures.len());
        self.columns.push((Column::new(&self.alias, &name), data_type));
        self.measures.push((name.clone(), measure));
        Ok(column(&self.alias, &name))
    }

    /// An aggregate as an expression over states of the whole group.
    fn value(&mut self, asked: &OfStates) -> Result<Expr> {
        match (asked.aggregate(), asked.measures()) {
            (Aggregate::Avg, [total, count]) => {
                let mean = Measure { state: State::Mean, ..total.clone() };
                if mean.data_type(self.names.scope()).is_ok() {
                    return self.column(mean);
                }
                // A decimal's: division truncates at four more digits, as SQL's average of decimals does.
                let (total, count) = (self.column(total.clone())?, self.column(count.clone())?);
                let whole =
                    DataType::decimal(20, 0).ok_or_else(|| QueryError::internal("no whole decimals"))?;
                let count = Expr::TryCast { operand: Box::new(count), to: whole };
                Ok(total.binary(BinaryOp::Divide, count))
            }
            (_, [state]) if state.paired.is_none() || state.state.is_in_time() => self.column(state.clone()),
            (aggregate, [count, _, m2]) => {
                let (count, m2) = (self.column(count.clone())?, self.column(m2.clone())?);
                moment(aggregate, count, &m2)
            }
            _ => Err(not_below()),
        }
    }
}

/// A variance or standard deviation of one whole group. Division by zero is NULL at a node.
fn moment(aggregate: Aggregate, count: Expr, m2: &Expr) -> Result<Expr> {
    let count = Expr::TryCast { operand: Box::new(count), to: DataType::Float64 };
    let one = Literal::new(DataType::Float64, Some(Value::Float(1.0)));
    let one = one.map(Expr::Literal).ok_or_else(|| QueryError::internal("1 is no double"))?;
    let root = |value: Expr| Expr::Call { function: Function::Sqrt, arguments: vec![value] };
    let sample =
        || m2.clone().binary(BinaryOp::Divide, count.clone().binary(BinaryOp::Subtract, one.clone()));
    let population = || m2.clone().binary(BinaryOp::Divide, count.clone());
    match aggregate {
        Aggregate::VarianceSample => Ok(sample()),
        Aggregate::VariancePopulation => Ok(population()),
        Aggregate::StddevSample => Ok(root(sample())),
        Aggregate::StddevPopulation => Ok(root(population())),
        _ => Err(not_below()),
    }
}

fn not_below() -> QueryError {
    QueryError::sql(
        "this aggregate is not answered below another aggregation: use COUNT, SUM, AVG, MIN, MAX, VAR, STDDEV or MOULD_INDEX there",
    )
}
