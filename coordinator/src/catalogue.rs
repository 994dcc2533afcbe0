//! What an analyst can name in SQL: federated datasets, public reference tables, and tables about the federation itself.

mod information;
mod reference;
mod system;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider, Session, TableProvider};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use jigsaw_proto::contract::{ColumnContract, Contract, NODE_COLUMN};
use jigsaw_proto::id::DatasetName;

pub(crate) use information::InformationSchema;
pub(crate) use reference::{ReferenceEntry, ReferenceTable};

use crate::dispatch::Federation;
use crate::query::QueryError;

/// The one catalog.
pub(crate) const CATALOG: &str = "jigsaw";
/// The schema of datasets and reference tables; the default.
pub(crate) const PUBLIC: &str = "public";
/// The schema of tables about the federation.
pub(crate) const SYSTEM: &str = "system";

/// The schema of what the SQL standard says there is to know of tables.
pub(crate) const INFORMATION: &str = "information_schema";

/// One table as metadata calls describe it.
#[derive(Debug, Clone)]
pub(crate) struct TableInfo {
    pub(crate) schema: &'static str,
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) arrow: SchemaRef,
}

/// Everything that can be named.
#[derive(Debug)]
pub(crate) struct Catalogue {
    contracts: BTreeMap<DatasetName, Arc<Contract>>,
    references: Vec<Arc<ReferenceTable>>,
}

impl Catalogue {
    /// Loads the reference tables beside the federated datasets.
    pub(crate) async fn load(
        contracts: &BTreeMap<DatasetName, Arc<Contract>>,
        entries: Vec<ReferenceEntry>,
    ) -> Result<Self, QueryError> {
        let mut references: Vec<Arc<ReferenceTable>> = vec![];
        for entry in entries {
            let taken = contracts.contains_key(&entry.name)
                || references.iter().any(|known| known.name() == &entry.name);
            if taken {
                let message = format!("reference table {}: the name is taken, give it another", entry.name);
                return Err(QueryError::Sql { message });
            }
            references.push(Arc::new(ReferenceTable::load(entry).await?));
        }
        Ok(Self { contracts: contracts.clone(), references })
    }

    /// The schema `public`.
    pub(crate) fn public(&self) -> Result<Arc<dyn SchemaProvider>> {
        let schema = MemorySchemaProvider::new();
        for (name, contract) in &self.contracts {
            schema.register_table(name.to_string(), Arc::new(FederatedTable::new(Arc::clone(contract))))?;
        }
        for reference in &self.references {
            schema.register_table(reference.name().to_string(), reference.provider())?;
        }
        Ok(Arc::new(schema))
    }

    /// The schema `system`.
    pub(crate) fn system(self: &Arc<Self>, federation: &Arc<Federation>) -> Result<Arc<dyn SchemaProvider>> {
        system::schema(self, federation)
    }

    /// All tables, for metadata calls.
    pub(crate) fn tables(&self) -> Vec<TableInfo> {
        let datasets = self.contracts.values().map(|contract| TableInfo {
            schema: PUBLIC,
            name: contract.name.to_string(),
            kind: "BASE TABLE",
            arrow: federated_schema(contract),
        });
        let references = self.references.iter().map(|reference| TableInfo {
            schema: PUBLIC,
            name: reference.name().to_string(),
            kind: "BASE TABLE",
            arrow: reference.provider().schema(),
        });
        datasets.chain(references).chain(system::tables()).collect()
    }
}

/// A dataset of the federation: it can be planned over, and never scanned.
pub(crate) struct FederatedTable {
    contract: Arc<Contract>,
    schema: SchemaRef,
}

impl FederatedTable {
    fn new(contract: Arc<Contract>) -> Self {
        let schema = federated_schema(&contract);
        Self { contract, schema }
    }

    pub(crate) fn contract(&self) -> &Arc<Contract> {
        &self.contract
    }
}

/// The columns of a contract that can be named, after the virtual column `node`.
///
/// All but `node` are nullable here, whatever the contract says: what a node holds cannot be checked from outside, and a
/// plan must not rely on it.
fn federated_schema(contract: &Contract) -> SchemaRef {
    let node = Field::new(NODE_COLUMN, DataType::Utf8, false)
        .with_metadata([(DESCRIPTION.to_owned(), "The node that holds the row".to_owned())].into());
    let columns = contract.columns.iter().filter(|column| column.role.as_str() != "hidden").map(|column| {
        let described = [(DESCRIPTION.to_owned(), remarks(column))];
        Field::new(column.name.as_str(), column.data_type.to_arrow(), true).with_metadata(described.into())
    });
    Arc::new(Schema::new([node].into_iter().chain(columns).collect::<Vec<_>>()))
}

/// Field metadata key of a column's description, as Flight SQL clients read it.
pub(crate) const DESCRIPTION: &str = "ARROW:FLIGHT:SQL:REMARKS";

/// `Room temperature. Unit: °C. Role: measure.`
fn remarks(column: &ColumnContract) -> String {
    let unit = column.unit.as_ref().map_or_else(String::new, |unit| format!(" Unit: {unit}."));
    let codes =
        if column.codes.is_empty() { String::new() } else { format!(" Codes: {}.", column.codes.join(", ")) };
    format!("{}.{unit}{codes} Role: {}.", column.description.trim_end_matches('.'), column.role.as_str())
}

impl fmt::Debug for FederatedTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FederatedTable({})", self.contract.name)
    }
}

#[async_trait]
impl TableProvider for FederatedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Rows never leave a borough: whatever plan gets this far is refused.
    async fn scan(
        &self,
        _: &dyn Session,
        _: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let message = format!("rows of {} never leave a borough: ask for aggregates", self.contract.name);
        Err(QueryError::Refused { message }.into())
    }
}
