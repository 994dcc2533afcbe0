//! `information_schema`: the engine's, and the views of constraints that the SQL standard has beside it. There are no
//! constraints, so these are empty; tools that draw arrows between tables read them and draw none.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::catalog::information_schema::InformationSchemaProvider;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList, SchemaProvider,
    TableProvider,
};
use datafusion::datasource::MemTable;
use datafusion::error::Result;

use super::{CATALOG, DESCRIPTION, INFORMATION, TableInfo};

/// The columns of `table_constraints`, as the standard has them.
const CONSTRAINTS: [&str; 9] = [
    "constraint_catalog",
    "constraint_schema",
    "constraint_name",
    "table_catalog",
    "table_schema",
    "table_name",
    "constraint_type",
    "is_deferrable",
    "initially_deferred",
];

/// The columns of `key_column_usage`; the last two are numbers.
const KEYS: [&str; 9] = [
    "constraint_catalog",
    "constraint_schema",
    "constraint_name",
    "table_catalog",
    "table_schema",
    "table_name",
    "column_name",
    "ordinal_position",
    "position_in_unique_constraint",
];

/// The columns of `referential_constraints`.
const REFERENCES: [&str; 9] = [
    "constraint_catalog",
    "constraint_schema",
    "constraint_name",
    "unique_constraint_catalog",
    "unique_constraint_schema",
    "unique_constraint_name",
    "match_option",
    "update_rule",
    "delete_rule",
];

const EMPTY: [(&str, [&str; 9]); 3] =
    [("key_column_usage", KEYS), ("referential_constraints", REFERENCES), ("table_constraints", CONSTRAINTS)];

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
        let list = MemoryCatalogProviderList::new();
        list.register_catalog(CATALOG.to_owned(), Arc::new(catalog));
        Ok(Self { engine: InformationSchemaProvider::new(Arc::new(list)) })
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
}

/// The columns, with what a schema browser says of them.
fn explained(table: &str, columns: &Schema) -> SchemaRef {
    let remark =
        if table == "df_settings" { "A setting of the planner." } else { "As the SQL standard has it." };
    let described = [(DESCRIPTION.to_owned(), remark.to_owned())];
    let field = |field: &FieldRef| field.as_ref().clone().with_metadata(described.clone().into());
    Arc::new(Schema::new(columns.fields().iter().map(field).collect::<Vec<_>>()))
}

fn columns(names: [&str; 9]) -> SchemaRef {
    let field = |name: &str| {
        let number = name.contains("position");
        Field::new(name, if number { DataType::Int64 } else { DataType::Utf8 }, true)
    };
    Arc::new(Schema::new(names.map(field).to_vec()))
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
        match EMPTY.into_iter().find(|(known, _)| *known == name) {
            Some((_, names)) => Ok(Some(Arc::new(MemTable::try_new(columns(names), vec![vec![]])?))),
            None => self.engine.table(name).await,
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        self.table_names().iter().any(|known| known == name)
    }
}
