//! What there is, for clients that ask without SQL: each table as a flight that is named by its path.

use std::pin::Pin;
use std::sync::Arc;

use arrow_flight::flight_descriptor::DescriptorType;
use arrow_flight::{FlightDescriptor, FlightInfo};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use futures::{Stream, stream};
use tonic::{Response, Status};

use super::{Shared, status};
use crate::catalogue::{CATALOG, PUBLIC, TableInfo};
use crate::plan::portable_field;

pub(super) type Flights = Pin<Box<dyn Stream<Item = Result<FlightInfo, Status>> + Send>>;

impl Shared {
    /// All tables whose full name contains the words of `criteria`. There is nothing to fetch: ask for what you want of them.
    pub(super) fn flights(&self, criteria: &[u8]) -> Result<Response<Flights>, Status> {
        let wanted = std::str::from_utf8(criteria)
            .map_err(|_| status::sql("the criteria are a part of a table's name, in UTF-8"))?;
        let tables = self.engine.tables().iter().filter(|table| name(table).contains(wanted));
        let flights: Vec<_> = tables.map(flight).collect();
        Ok(Response::new(Box::pin(stream::iter(flights))))
    }

    /// The columns of the table that a path names.
    pub(super) fn schema_of_path(&self, path: &[String]) -> Result<SchemaRef, Status> {
        let [catalog, schema, table] = parts(path)?;
        let tables = self.engine.tables();
        let found =
            tables.iter().find(|known| catalog == CATALOG && known.schema == schema && known.name == table);
        let unknown = || Status::not_found("there is no such table: ListFlights lists what there is");
        Ok(Arc::new(sent(found.ok_or_else(unknown)?)))
    }
}

/// The columns in the types that a question for them is answered in.
fn sent(table: &TableInfo) -> Schema {
    Schema::new(table.arrow.fields().iter().map(|field| portable_field(field)).collect::<Vec<_>>())
}

fn name(table: &TableInfo) -> String {
    format!("{CATALOG}.{}.{}", table.schema, table.name)
}

fn flight(table: &TableInfo) -> Result<FlightInfo, Status> {
    let path = [CATALOG, table.schema, &table.name].map(str::to_owned);
    let info = FlightInfo::new().try_with_schema(&sent(table)).map_err(|_| status::encoding())?;
    Ok(info.with_descriptor(FlightDescriptor::new_path(path.into())))
}

/// Catalog, schema and table; a short path is in the catalog and schema there are.
fn parts(path: &[String]) -> Result<[&str; 3], Status> {
    match path {
        [table] => Ok([CATALOG, PUBLIC, table]),
        [schema, table] => Ok([CATALOG, schema, table]),
        [catalog, schema, table] => Ok([catalog, schema, table]),
        _ => Err(status::sql("a path has a catalog, a schema and a table, or the last of them")),
    }
}

/// The path of a descriptor, if that is what it is.
pub(super) fn path(descriptor: &FlightDescriptor) -> Option<&[String]> {
    (descriptor.r#type == DescriptorType::Path as i32).then_some(descriptor.path.as_slice())
}

/// The question that a path stands for: the whole table.
pub(super) fn question(path: &[String]) -> Result<String, Status> {
    let names = parts(path)?.map(|name| format!("\"{}\"", name.replace('"', "\"\"")));
    Ok(format!("SELECT * FROM {}", names.join(".")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_quoted() {
        let path = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let asked = question(&path(&["system", "no\"des; --"])).unwrap();
        assert_eq!(asked, "SELECT * FROM \"jigsaw\".\"system\".\"no\"\"des; --\"");
        assert!(question(&path(&[])).is_err() && question(&path(&["a", "b", "c", "d"])).is_err());
    }
}
