//! What was said over a recorded connection: HTTP/2 frames put together to gRPC messages, call by call.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::{FlightData, Ticket};
use futures::{TryStreamExt as _, stream};
use jigsaw_proto::release::Manifest;
use jigsaw_proto::wire::FragmentRequest;
use prost::Message as _;

use crate::data::Result;
use crate::tap::Recording;

/// The opening words of an HTTP/2 client.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_HEADER: usize = 9;
const MESSAGE_HEADER: usize = 5;
const DATA: u8 = 0;
const PADDED: u8 = 8;

/// One call.
#[derive(Debug, Clone, Default)]
pub struct Exchange {
    /// messages of the caller
    pub asked: Vec<Vec<u8>>,
    /// messages of the node
    pub answered: Vec<Vec<u8>>,
}

/// A call that was answered with a release.
#[derive(Debug, Clone)]
pub struct Released {
    /// the question
    pub request: FragmentRequest,
    /// the rows that left
    pub batches: Vec<RecordBatch>,
    /// and their manifest
    pub manifest: Manifest,
    /// bytes of all messages
    pub bytes: usize,
}

/// Every call of a connection, in the order they were made.
pub fn exchanges(recording: &Recording) -> Vec<Exchange> {
    let to_node = recording.to_node.strip_prefix(PREFACE).unwrap_or(&recording.to_node);
    let mut calls: BTreeMap<u32, Exchange> = BTreeMap::new();
    for (call, bytes) in streams(to_node) {
        calls.entry(call).or_default().asked = messages(&bytes);
    }
    for (call, bytes) in streams(&recording.from_node) {
        calls.entry(call).or_default().answered = messages(&bytes);
    }
    calls.into_values().collect()
}

/// The bytes of every stream's DATA frames.
fn streams(mut bytes: &[u8]) -> BTreeMap<u32, Vec<u8>> {
    let mut streams: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    while let Some((header, rest)) = bytes.split_at_checked(FRAME_HEADER) {
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
        let stream = u32::from_be_bytes([header[5], header[6], header[7], header[8]]) & 0x7fff_ffff;
        let Some((mut payload, rest)) = rest.split_at_checked(length) else { break };
        if header[3] == DATA {
            if header[4] & PADDED != 0 {
                payload = &payload[1..payload.len() - usize::from(payload[0])];
            }
            streams.entry(stream).or_default().extend_from_slice(payload);
        }
        bytes = rest;
    }
    streams
}

/// The messages of a stream; gRPC puts a flag and the length before each.
fn messages(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while let Some((header, rest)) = bytes.split_at_checked(MESSAGE_HEADER) {
        let length = u32::from_be_bytes([header[1], header[2], header[3], header[4]]) as usize;
        let Some((message, rest)) = rest.split_at_checked(length) else { break };
        messages.push(message.to_vec());
        bytes = rest;
    }
    messages
}

impl Exchange {
    /// The fragment that was asked, if this call asked for one.
    pub fn request(&self) -> Option<FragmentRequest> {
        let ticket = Ticket::decode(self.asked.first()?.as_slice()).ok()?;
        FragmentRequest::decode(&ticket.ticket).ok()
    }

    /// The release that was given, if this call asked for one and got it.
    pub async fn released(&self) -> Result<Option<Released>> {
        let Some(request) = self.request() else { return Ok(None) };
        let data = self.answered.iter().map(|message| FlightData::decode(message.as_slice()));
        let data = data.collect::<std::result::Result<Vec<_>, _>>()?;
        Released::read(request, data).await
    }
}

impl Released {
    /// Reads the messages that answer a request; `None` if no manifest is among them.
    ///
    /// # Errors
    /// Messages that are no release.
    pub async fn read(request: FragmentRequest, data: Vec<FlightData>) -> Result<Option<Self>> {
        let Some(manifest) = data.last().filter(|last| !last.app_metadata.is_empty()) else {
            return Ok(None);
        };
        let manifest = Manifest::decode(&manifest.app_metadata)?;
        let bytes = data.iter().map(prost::Message::encoded_len).sum();
        let messages = data.into_iter().filter(|message| !message.data_header.is_empty());
        let messages = stream::iter(messages.map(Ok::<_, FlightError>));
        let batches = FlightRecordBatchStream::new_from_flight_data(messages).try_collect().await?;
        Ok(Some(Self { request, batches, manifest, bytes }))
    }
}
