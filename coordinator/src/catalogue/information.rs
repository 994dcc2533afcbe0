//! `information_schema`: the engine's, and the views of constraints that the SQL standard has beside it. There are no
//! constraints, so these are empty; tools that draw arrows between tables read them and draw none.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::catalog::information_schema::InformationSchemaProvider;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider, SchemaProvider, TableProvider,
};
use datafusion::common::ToDFSchema;
use datafusion::datasource::{MemTable, ViewTable, provider_as_source};
use datafusion::error::Result;
use datafusion::logical_expr::{EmptyRelation, LogicalPlan, LogicalPlanBuilder, ident, lit};

use super::{CATALOG, DESCRIPTION, INFORMATION, TableInfo};

/// Views and their columns, as the standard has them. What is a place (`position`) is a number, all else text.
const EMPTY: [(&str, &[&str]); 6] = [
    ("check_constraints", &["constraint_catalog", "constraint_schema", "constraint_name", "check_clause"]),
    (
        "constraint_column_usage",
        &[
            "table_catalog",
            "table_schema",
            "table_name",
            "column_name",
            "constraint_catalog",
            "constraint_schema",
            "constraint_name",
        ],
    ),
    (
        "constraint_table_usage",
        &[
            "table_catalog",
            "table_schema",
            "table_name",
            "constraint_catalog",
            "constraint_schema",
            "constraint_name",
        ],
    ),
    (
        "key_column_usage",
        &[
            "constraint_catalog",
            "constraint_schema",
            "constraint_name",
            "table_catalog",
            "table_schema",
            "table_name",
            "column_name",
            "ordinal_position",
            "position_in_unique_constraint",
        ],
    ),
    (
        "referential_constraints",
        &[
            "constraint_catalog",
            "constraint_schema",
            "constraint_name",
            "unique_constraint_catalog",
            "unique_constraint_schema",
            "unique_constraint_name",
            "match_option",
            "update_rule",
            "delete_rule",
        ],
    ),
    (
        "table_constraints",
        &[
            "constraint_catalog",
            "constraint_schema",
            "constraint_name",
            "table_catalog",
            "table_schema",
            "table_name",
            "constraint_type",
            "is_deferrable",
            "initially_deferred",
        ],
    ),
];

/// Tables in which the schema is a row, or its tables are, and the column that names the schema there.
const LISTS: [(&str, &str); 3] =
    [("columns", "table_schema"), ("schemata", "schema_name"), ("tables", "table_schema")];

/// What this schema is called where the engine is asked to describe it as if it were another's.
const ITSELF: &str = "itself";

/// The schema, over a catalog that it is not in itself.
#[derive(Debug)]
pub(crate) struct InformationSchema {
    engine: InformationSchemaProvider,
}

impl InformationSchema {
    /// What there is to know of these schemas.
    pub(crate) fn over(schemas: &[(&str, Arc<dyn SchemaProvider>)]) -> Result<Self> {
        let catalog = MemoryCatalogProvider::new();
        for (name, schema) in schemas {
            catalog.register_schema(name, Arc::clone(schema))?;
        }
        Ok(Self { engine: described(catalog) })
    }

    /// Its tables, for metadata calls.
    pub(crate) async fn tables(&self) -> Result<Vec<TableInfo>> {
        let mut tables = vec![];
        for name in self.table_names() {
            if let Some(table) = self.table(&name).await? {
                let arrow = explained(&name, &table.schema());
                tables.push(TableInfo { schema: INFORMATION, name, kind: "VIEW", arrow });
            }
        }
        Ok(tables)
    }

    /// A list of the engine's, with this schema in it as any other: the engine names some of its own tables there, and none of
    /// their columns.
    async fn list(&self, name: &str, schema: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let itself = MemorySchemaProvider::new();
        for name in self.table_names() {
            if let Some(columns) = self.columns(&name).await? {
                let nothing = EmptyRelation { produce_one_row: false, schema: columns.to_dfschema_ref()? };
                let view = ViewTable::new(LogicalPlan::EmptyRelation(nothing), None);
                itself.register_table(name, Arc::new(view))?;
            }
        }
        let catalog = MemoryCatalogProvider::new();
        catalog.register_schema(ITSELF, Arc::new(itself))?;
        let (Some(others), Some(own)) =
            (self.engine.table(name).await?, described(catalog).table(name).await?)
        else {
            return Ok(None);
        };
        let names = own.schema();
        let names = names.fields().iter().map(|field| match field.name() {
            name if name == schema => lit(INFORMATION).alias(schema),
            name => ident(name),
        });
        let own = LogicalPlanBuilder::scan(name, provider_as_source(own), None)?
            .filter(ident(schema).eq(lit(ITSELF)))?
            .project(names)?
            .build()?;
        let all = LogicalPlanBuilder::scan(name, provider_as_source(others), None)?
            .filter(ident(schema).not_eq(lit(INFORMATION)))?
            .union(own)?
            .build()?;
        Ok(Some(Arc::new(ViewTable::new(all, None))))
    }

    /// The columns of a table.
    async fn columns(&self, name: &str) -> Result<Option<SchemaRef>> {
        match EMPTY.into_iter().find(|(known, _)| *known == name) {
            Some((_, names)) => Ok(Some(columns(names))),
            None => Ok(self.engine.table(name).await?.map(|table| table.schema())),
        }
    }
}

/// What the engine says of a catalog.
fn described(catalog: MemoryCatalogProvider) -> InformationSchemaProvider {
    let list = MemoryCatalogProviderList::new();
    list.register_catalog(CATALOG.to_owned(), Arc::new(catalog));
    InformationSchemaProvider::new(Arc::new(list))
}

/// The columns, with what a schema browser says of them.
fn explained(table: &str, columns: &Schema) -> SchemaRef {
    let remark =
        if table == "df_settings" { "A setting of the planner." } else { "As the SQL standard has it." };
    let described = [(DESCRIPTION.to_owned(), remark.to_owned())];
    let field = |field: &FieldRef| field.as_ref().clone().with_metadata(described.clone().into());
    Arc::new(Schema::new(columns.fields().iter().map(field).collect::<Vec<_>>()))
}

fn columns(names: &[&str]) -> SchemaRef {
    let field = |name: &str| {
        let number = name.contains("position");
        Field::new(name, if number { DataType::Int64 } else { DataType::Utf8 }, true)
    };
    Arc::new(Schema::new(names.iter().map(|name| field(name)).collect::<Vec<_>>()))
}

#[async_trait]
impl SchemaProvider for InformationSchema {
    fn table_names(&self) -> Vec<String> {
        let mut names = self.engine.table_names();
        names.extend(EMPTY.map(|(name, _)| name.to_owned()));
        names.sort();
        names
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if let Some((_, schema)) = LISTS.into_iter().find(|(known, _)| *known == name) {
            return self.list(name, schema).await;
        }
        match EMPTY.into_iter().find(|(known, _)| *known == name) {
            Some((_, names)) => Ok(Some(Arc::new(MemTable::try_new(columns(names), vec![vec![]])?))),
            None => self.engine.table(name).await,
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        self.table_names().iter().any(|known| known == name)
    }
}
