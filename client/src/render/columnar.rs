//! Parquet and Arrow files, which carry types, and the notes of the answer under the key `jigsaw.notes`.

use std::io;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::{Out, value::unwritable};
use crate::failure::Failure;

const NOTES: &str = "jigsaw.notes";

pub(crate) enum Columnar<'w> {
    Parquet(ArrowWriter<Out<'w>>),
    Arrow(FileWriter<Out<'w>>),
}

impl<'w> Columnar<'w> {
    pub(crate) fn parquet(schema: &SchemaRef, out: Out<'w>) -> Result<Self, Failure> {
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let writer = ArrowWriter::try_new(out, SchemaRef::clone(schema), Some(properties));
        writer.map(Self::Parquet).map_err(parquet_failure)
    }

    pub(crate) fn arrow(schema: &SchemaRef, out: Out<'w>) -> Result<Self, Failure> {
        FileWriter::try_new(out, schema).map(Self::Arrow).map_err(arrow_failure)
    }

    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        match self {
            Self::Parquet(writer) => writer.write(batch).map_err(parquet_failure),
            Self::Arrow(writer) => writer.write(batch).map_err(arrow_failure),
        }
    }

    pub(crate) fn finish(self, notes: &str) -> Result<(), Failure> {
        match self {
            Self::Parquet(mut writer) => {
                writer.append_key_value_metadata(KeyValue::new(NOTES.to_owned(), notes.to_owned()));
                writer.close().map_err(parquet_failure)?;
            }
            Self::Arrow(mut writer) => {
                writer.write_metadata(NOTES, notes);
                writer.finish().map_err(arrow_failure)?;
                writer.get_mut().flush()?;
            }
        }
        Ok(())
    }
}

fn parquet_failure(error: ParquetError) -> Failure {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(source) => Failure::Write { source: *source },
            Err(_) => unwritable(),
        },
        _ => unwritable(),
    }
}

fn arrow_failure(error: ArrowError) -> Failure {
    match error {
        ArrowError::IoError(_, source) => Failure::Write { source },
        _ => unwritable(),
    }
}
