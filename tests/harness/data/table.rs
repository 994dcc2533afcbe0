//! Rows in the shape of a contract, collected per node.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int32Builder, Int64Builder,
    RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{Field, Schema, SchemaRef};
use jigsaw_proto::contract::Contract;
use jigsaw_proto::types::DataType;

use super::Result;

macro_rules! contracts {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../contracts/", $name, ".toml")))),*]
    };
}

/// Every contract: name and text.
pub(super) const CONTRACTS: [(&str, &str); 18] = contracts![
    "accommodation_stay",
    "air_quality",
    "air_quality_site",
    "benefit_child",
    "case_support_need",
    "casualty",
    "collision",
    "damp_case",
    "env_reading",
    "env_site",
    "flood_report",
    "homelessness_case",
    "property",
    "rough_sleeping_contact",
    "school_census_pupil",
    "sensor",
    "sensor_reading",
    "vehicle",
];

/// The contract of that name.
pub(super) fn contract(name: &str) -> Result<Contract> {
    let text = CONTRACTS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text);
    Ok(Contract::parse(text.ok_or_else(|| format!("there is no contract for {name}"))?)?)
}

/// The Arrow schema of a contract.
pub(super) fn schema(contract: &Contract) -> SchemaRef {
    let fields = contract
        .columns
        .iter()
        .map(|column| Field::new(column.name.as_str(), column.data_type.to_arrow(), column.nullable));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// One value of a row. Decimals are whole pence.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cell<'a> {
    Null,
    Text(&'a str),
    Int(i32),
    Long(i64),
    Float(f64),
    Bool(bool),
    Date(i32),
    Time(i64),
    Pence(i128),
}

impl<'a> Cell<'a> {
    /// Text, or NULL if it is empty.
    pub(super) fn text(text: &'a str) -> Self {
        if text.is_empty() { Self::Null } else { Self::Text(text) }
    }
}

/// A dataset's rows at every node that holds it.
pub(super) struct Dataset {
    pub(super) name: &'static str,
    schema: SchemaRef,
    types: Vec<DataType>,
    nodes: BTreeMap<usize, Vec<Column>>,
}

enum Column {
    Text(StringBuilder),
    Int(Int32Builder),
    Long(Int64Builder),
    Float(Float64Builder),
    Bool(BooleanBuilder),
    Date(Date32Builder),
    Time(TimestampMicrosecondBuilder),
    Decimal(Decimal128Builder),
}

impl Dataset {
    /// Without rows, at no node.
    pub(super) fn new(name: &'static str) -> Result<Self> {
        let contract = contract(name)?;
        let types = contract.columns.iter().map(|column| column.data_type.clone()).collect();
        Ok(Self { name, schema: schema(&contract), types, nodes: BTreeMap::new() })
    }

    /// Makes sure that the node holds the dataset, be it without rows.
    pub(super) fn hold(&mut self, node: usize) -> Result<()> {
        if !self.nodes.contains_key(&node) {
            let columns = self.types.iter().map(Column::new).collect::<Result<_>>()?;
            self.nodes.insert(node, columns);
        }
        Ok(())
    }

    /// The same dataset, held by all of these nodes.
    pub(super) fn held_by(mut self, nodes: std::ops::Range<usize>) -> Result<Self> {
        for node in nodes {
            self.hold(node)?;
        }
        Ok(self)
    }

    /// Adds a row.
    pub(super) fn push(&mut self, node: usize, row: &[Cell<'_>]) -> Result<()> {
        self.hold(node)?;
        let columns = self.nodes.get_mut(&node).ok_or("the node holds the dataset")?;
        if columns.len() != row.len() {
            return Err(format!("{} has {} columns, the row {}", self.name, columns.len(), row.len()).into());
        }
        for (column, cell) in columns.iter_mut().zip(row) {
            column.push(*cell).map_err(|problem| format!("{}: {problem}", self.name))?;
        }
        Ok(())
    }

    /// The rows of every node.
    pub(super) fn finish(self) -> Result<(&'static str, Vec<(usize, RecordBatch)>)> {
        let mut tables = Vec::new();
        for (node, columns) in self.nodes {
            let arrays = columns.into_iter().map(Column::finish).collect();
            tables.push((node, RecordBatch::try_new(Arc::clone(&self.schema), arrays)?));
        }
        Ok((self.name, tables))
    }
}

impl Column {
    fn new(data_type: &DataType) -> Result<Self> {
        Ok(match data_type {
            DataType::Text => Self::Text(StringBuilder::new()),
            DataType::Int32 => Self::Int(Int32Builder::new()),
            DataType::Int64 => Self::Long(Int64Builder::new()),
            DataType::Float64 => Self::Float(Float64Builder::new()),
            DataType::Boolean => Self::Bool(BooleanBuilder::new()),
            DataType::Date => Self::Date(Date32Builder::new()),
            DataType::Timestamp { .. } => {
                Self::Time(TimestampMicrosecondBuilder::new().with_data_type(data_type.to_arrow()))
            }
            DataType::Decimal { .. } => {
                Self::Decimal(Decimal128Builder::new().with_data_type(data_type.to_arrow()))
            }
            DataType::Interval => return Err("no contract has a column of type interval".into()),
        })
    }

    fn push(&mut self, cell: Cell<'_>) -> Result<()> {
        match (self, cell) {
            (Self::Text(builder), Cell::Text(text)) => builder.append_value(text),
            (Self::Text(builder), Cell::Null) => builder.append_null(),
            (Self::Int(builder), Cell::Int(value)) => builder.append_value(value),
            (Self::Int(builder), Cell::Null) => builder.append_null(),
            (Self::Long(builder), Cell::Long(value)) => builder.append_value(value),
            (Self::Long(builder), Cell::Null) => builder.append_null(),
            (Self::Float(builder), Cell::Float(value)) => builder.append_value(value),
            (Self::Float(builder), Cell::Null) => builder.append_null(),
            (Self::Bool(builder), Cell::Bool(value)) => builder.append_value(value),
            (Self::Bool(builder), Cell::Null) => builder.append_null(),
            (Self::Date(builder), Cell::Date(value)) => builder.append_value(value),
            (Self::Date(builder), Cell::Null) => builder.append_null(),
            (Self::Time(builder), Cell::Time(value)) => builder.append_value(value),
            (Self::Time(builder), Cell::Null) => builder.append_null(),
            (Self::Decimal(builder), Cell::Pence(value)) => builder.append_value(value),
            (Self::Decimal(builder), Cell::Null) => builder.append_null(),
            (_, cell) => return Err(format!("a value is of another type than its column: {cell:?}").into()),
        }
        Ok(())
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Text(mut builder) => Arc::new(builder.finish()),
            Self::Int(mut builder) => Arc::new(builder.finish()),
            Self::Long(mut builder) => Arc::new(builder.finish()),
            Self::Float(mut builder) => Arc::new(builder.finish()),
            Self::Bool(mut builder) => Arc::new(builder.finish()),
            Self::Date(mut builder) => Arc::new(builder.finish()),
            Self::Time(mut builder) => Arc::new(builder.finish()),
            Self::Decimal(mut builder) => Arc::new(builder.finish()),
        }
    }
}
