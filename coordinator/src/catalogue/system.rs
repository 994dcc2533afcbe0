//! Tables about the federation: who takes part, what can be asked of it, what each column means.
//!
//! They are made from what nodes described of themselves, at the time of asking. No node is contacted, and nothing in them
//! depends on a row.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider, Session, TableProvider};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use jigsaw_proto::contract::{Contract, Floor, NODE_COLUMN};

use super::{Catalogue, DESCRIPTION, SYSTEM, TableInfo};
use crate::dispatch::{Federation, Snapshot};

mod policies;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nodes,
    Datasets,
    Columns,
    Policies,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Nodes, Self::Datasets, Self::Columns, Self::Policies];

    fn name(self) -> &'static str {
        match self {
            Self::Nodes => "nodes",
            Self::Datasets => "datasets",
            Self::Columns => "columns",
            Self::Policies => "policies",
        }
    }

    fn schema(self) -> SchemaRef {
        let field = |(name, data_type, remark): (&str, DataType, &str)| {
            Field::new(name, data_type, true)
                .with_metadata([(DESCRIPTION.to_owned(), remark.to_owned())].into())
        };
        let fields = match self {
            Self::Nodes => node_fields(),
            Self::Datasets => dataset_fields(),
            Self::Columns => column_fields(),
            Self::Policies => policies::fields(),
        };
        Arc::new(Schema::new(fields.into_iter().map(field).collect::<Vec<_>>()))
    }
}

/// Name, type, and what a schema browser says of it.
type Fields = Vec<(&'static str, DataType, &'static str)>;

fn node_fields() -> Fields {
    let (text, count) = (DataType::Utf8, DataType::Int64);
    vec![
        ("node", text.clone(), "The node's id, as in the column node of every dataset."),
        ("title", text.clone(), "What the node calls itself."),
        ("address", text.clone(), "Where the coordinator reaches it."),
        ("status", text.clone(), "up, down, wrong protocol or wrong identity."),
        ("detail", text.clone(), "Why it is not up."),
        ("software", text, "The version it runs."),
        ("datasets", count, "How many datasets it holds under the published contracts."),
        (
            "checked_at",
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            "When it was asked last.",
        ),
    ]
}

fn dataset_fields() -> Fields {
    let text = DataType::Utf8;
    vec![
        ("dataset", text.clone(), "Its name in SQL."),
        ("kind", text.clone(), "federated, or reference for a public table."),
        ("description", text.clone(), "What one row is."),
        ("contract_version", DataType::Int32, "The version of its contract."),
        ("nodes", DataType::Int64, "How many nodes hold it."),
        ("left_out", text.clone(), "Nodes that hold it otherwise than the contract says, and why."),
        ("release", text, "The strictest policy among its nodes: open or protected."),
        ("threshold", DataType::Int32, "The highest threshold of people among its nodes."),
        ("rounding", DataType::Int32, "The coarsest rounding of counts among its nodes."),
    ]
}

fn column_fields() -> Fields {
    let text = DataType::Utf8;
    vec![
        ("dataset", text.clone(), "The dataset or reference table it is in."),
        ("position", DataType::Int32, "Its place, from 1."),
        ("column", text.clone(), "Its name."),
        ("type", text.clone(), "Its SQL type."),
        ("role", text.clone(), "dimension, measure, entity or reference."),
        ("unit", text.clone(), "What it is measured in."),
        ("nullable", DataType::Boolean, "Whether a value may be missing."),
        ("codes", text.clone(), "The values it can have, where the contract lists them."),
        ("description", text, "What it means."),
    ]
}

/// The schema `system`.
pub(super) fn schema(
    catalogue: &Arc<Catalogue>,
    federation: &Arc<Federation>,
) -> Result<Arc<dyn SchemaProvider>> {
    let schema = MemorySchemaProvider::new();
    for kind in Kind::ALL {
        let (catalogue, federation) = (Arc::clone(catalogue), Arc::clone(federation));
        schema
            .register_table(kind.name().to_owned(), Arc::new(SystemTable { kind, catalogue, federation }))?;
    }
    Ok(Arc::new(schema))
}

/// The tables, for metadata calls.
pub(super) fn tables() -> impl Iterator<Item = TableInfo> {
    Kind::ALL.into_iter().map(|kind| TableInfo {
        schema: SYSTEM,
        name: kind.name().to_owned(),
        kind: "VIEW",
        arrow: kind.schema(),
    })
}

struct SystemTable {
    kind: Kind,
    catalogue: Arc<Catalogue>,
    federation: Arc<Federation>,
}

impl std::fmt::Debug for SystemTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SystemTable({})", self.kind.name())
    }
}

#[async_trait]
impl TableProvider for SystemTable {
    fn schema(&self) -> SchemaRef {
        self.kind.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let snapshot = self.federation.snapshot();
        let columns = match self.kind {
            Kind::Nodes => nodes(&snapshot),
            Kind::Datasets => datasets(&self.catalogue, &snapshot),
            Kind::Columns => columns(&self.catalogue),
            Kind::Policies => policies::rows(&snapshot),
        };
        let batch = RecordBatch::try_new(self.kind.schema(), columns)?;
        Ok(MemorySourceConfig::try_new_exec(&[vec![batch]], self.kind.schema(), projection.cloned())?)
    }
}

fn text<T: AsRef<str>>(values: impl Iterator<Item = T>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn integers<T>(values: impl Iterator<Item = Option<T>>) -> ArrayRef
where
    i32: TryFrom<T>,
{
    Arc::new(values.map(|value| value.and_then(|value| i32::try_from(value).ok())).collect::<Int32Array>())
}

fn counts(values: impl Iterator<Item = usize>) -> ArrayRef {
    Arc::new(values.map(|value| i64::try_from(value).ok()).collect::<Int64Array>())
}

fn nodes(snapshot: &Snapshot) -> Vec<ArrayRef> {
    let nodes = &snapshot.nodes;
    let agreeing =
        nodes.iter().map(|node| node.datasets.values().filter(|dataset| dataset.agrees.is_ok()).count());
    let checked = nodes.iter().map(|node| node.checked_at.map(|time| time.timestamp_micros()));
    vec![
        text(nodes.iter().map(|node| node.id.as_str())),
        text(nodes.iter().map(|node| &node.title)),
        text(nodes.iter().map(|node| &node.address)),
        text(nodes.iter().map(|node| node.status.as_str())),
        text(nodes.iter().map(|node| &node.detail)),
        text(nodes.iter().map(|node| &node.software)),
        counts(agreeing),
        Arc::new(checked.collect::<TimestampMicrosecondArray>().with_timezone("UTC")),
    ]
}

/// One row of `system.datasets`.
struct DatasetRow {
    name: String,
    kind: &'static str,
    description: String,
    version: Option<u32>,
    nodes: usize,
    left_out: String,
    release: &'static str,
    threshold: Option<u32>,
    rounding: Option<u32>,
}

fn datasets(catalogue: &Catalogue, snapshot: &Snapshot) -> Vec<ArrayRef> {
    let federated = catalogue.contracts.values().map(|contract| dataset_row(contract, snapshot));
    let references = catalogue.references.iter().map(|reference| DatasetRow {
        name: reference.name().to_string(),
        kind: "reference",
        description: reference.description().to_owned(),
        version: None,
        nodes: 0,
        left_out: String::new(),
        release: "open",
        threshold: None,
        rounding: None,
    });
    let rows: Vec<DatasetRow> = federated.chain(references).collect();
    vec![
        text(rows.iter().map(|row| &row.name)),
        text(rows.iter().map(|row| row.kind)),
        text(rows.iter().map(|row| &row.description)),
        integers(rows.iter().map(|row| row.version)),
        counts(rows.iter().map(|row| row.nodes)),
        text(rows.iter().map(|row| &row.left_out)),
        text(rows.iter().map(|row| row.release)),
        integers(rows.iter().map(|row| row.threshold)),
        integers(rows.iter().map(|row| row.rounding)),
    ]
}

/// The strictest policy among the nodes that hold a dataset, or the contract's floor where none does.
fn dataset_row(contract: &Contract, snapshot: &Snapshot) -> DatasetRow {
    let held = snapshot.nodes.iter().filter_map(|node| Some((node, node.datasets.get(&contract.name)?)));
    let (mut nodes, mut left_out, mut strictest) = (0, vec![], None);
    for (node, dataset) in held {
        match &dataset.agrees {
            Ok(()) => {
                nodes += 1;
                strictest = strictest.max(Some((dataset.mode, dataset.threshold, dataset.rounding)));
            }
            Err(reason) => left_out.push(format!("{}: {reason}", node.id)),
        }
    }
    let (release, threshold, rounding) = match (strictest, contract.floor) {
        (Some((mode, threshold, rounding)), _) => (mode.as_str(), threshold, rounding),
        (None, Floor::Protected { threshold, rounding }) => ("protected", threshold, rounding),
        (None, Floor::Open) => ("open", 0, 1),
    };
    let protected = release == "protected";
    DatasetRow {
        name: contract.name.to_string(),
        kind: "federated",
        description: contract.description.clone(),
        version: Some(contract.version),
        nodes,
        left_out: left_out.join("; "),
        release,
        threshold: protected.then_some(threshold),
        rounding: protected.then_some(rounding),
    }
}

/// One row of `system.columns`.
struct ColumnRow {
    dataset: String,
    position: usize,
    name: String,
    data_type: String,
    role: &'static str,
    unit: String,
    nullable: bool,
    codes: String,
    description: String,
}

fn columns(catalogue: &Catalogue) -> Vec<ArrayRef> {
    let federated = catalogue.contracts.values().flat_map(|contract| contract_columns(contract));
    let references = catalogue.references.iter().flat_map(|reference| {
        let name = reference.name().to_string();
        let schema = reference.provider().schema();
        let column = |(position, field): (usize, &Arc<Field>)| ColumnRow {
            dataset: name.clone(),
            position,
            name: field.name().clone(),
            data_type: sql_type(field.data_type()),
            role: "reference",
            unit: String::new(),
            nullable: field.is_nullable(),
            codes: String::new(),
            description: String::new(),
        };
        schema.fields().iter().enumerate().map(column).collect::<Vec<_>>()
    });
    let rows: Vec<ColumnRow> = federated.chain(references).collect();
    vec![
        text(rows.iter().map(|row| &row.dataset)),
        integers(rows.iter().map(|row| Some(row.position + 1))),
        text(rows.iter().map(|row| &row.name)),
        text(rows.iter().map(|row| &row.data_type)),
        text(rows.iter().map(|row| row.role)),
        text(rows.iter().map(|row| &row.unit)),
        Arc::new(rows.iter().map(|row| Some(row.nullable)).collect::<BooleanArray>()),
        text(rows.iter().map(|row| &row.codes)),
        text(rows.iter().map(|row| &row.description)),
    ]
}

/// The SQL name of a type, where SQL has one.
fn sql_type(arrow: &DataType) -> String {
    jigsaw_proto::types::DataType::from_arrow(arrow)
        .map_or_else(|| arrow.to_string(), |known| known.to_string())
}

fn contract_columns(contract: &Contract) -> Vec<ColumnRow> {
    let node = ColumnRow {
        dataset: contract.name.to_string(),
        position: 0,
        name: NODE_COLUMN.to_owned(),
        data_type: "VARCHAR".to_owned(),
        role: "dimension",
        unit: String::new(),
        nullable: false,
        codes: String::new(),
        description: "The node that holds the row".to_owned(),
    };
    let visible = contract.columns.iter().filter(|column| column.role.as_str() != "hidden");
    let columns = visible.enumerate().map(|(index, column)| ColumnRow {
        dataset: contract.name.to_string(),
        position: index + 1,
        name: column.name.to_string(),
        data_type: column.data_type.to_string(),
        role: column.role.as_str(),
        unit: column.unit.clone().unwrap_or_default(),
        nullable: column.nullable,
        codes: column.codes.join(", "),
        description: column.description.clone(),
    });
    [node].into_iter().chain(columns).collect()
}
