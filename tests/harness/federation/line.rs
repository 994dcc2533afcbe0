//! A line straight to a node, past the coordinator: what anybody with a certificate could open.

use std::fs;

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::{Empty, FlightData, Ticket};
use futures::TryStreamExt as _;
use jigsaw_proto::tls::TlsMaterial;
use tonic::Status;
use tonic::transport::{Channel, Error};

use super::{Federation, identity};
use crate::certificates::Party;

/// An open line.
#[derive(Debug)]
pub struct Line(FlightServiceClient<Channel>);

impl Federation {
    /// Opens a line with the coordinator's own certificate.
    ///
    /// # Errors
    /// A node that does not take the call.
    pub async fn line(&self, node: &str) -> Result<Line, Error> {
        let read = |file| fs::read_to_string(self.dir().join("tls").join(file)).unwrap();
        let party = Party { certificate: read("coordinator.pem"), key: read("coordinator.key") };
        self.line_as(node, &party, &self.authority().pem()).await
    }

    /// Opens a line as somebody else, who trusts `authority` (PEM).
    ///
    /// # Errors
    /// A node that does not take the call.
    pub async fn line_as(&self, node: &str, party: &Party, authority: &str) -> Result<Line, Error> {
        let Party { certificate, key } = party.clone();
        let material = TlsMaterial { certificate, key, authority: authority.to_owned() };
        let address = format!("https://{}", self.node_address(node));
        let channel = material.endpoint(&address, &identity(node))?.connect().await?;
        Ok(Line(FlightServiceClient::new(channel)))
    }
}

impl Line {
    /// A call that a node answers without looking at anything.
    ///
    /// # Errors
    /// A node that does not take the call.
    pub async fn ping(&mut self) -> Result<(), Status> {
        let mut actions = self.0.list_actions(Empty {}).await?.into_inner();
        while actions.message().await?.is_some() {}
        Ok(())
    }

    /// Asks with a ticket of these bytes; every message that came.
    ///
    /// # Errors
    /// The node's refusal.
    pub async fn answer(&mut self, ticket: Vec<u8>) -> Result<Vec<FlightData>, Status> {
        let stream = self.0.do_get(Ticket { ticket: ticket.into() }).await?.into_inner();
        stream.try_collect().await
    }

    /// Asks with a ticket of these bytes; the number of messages that came.
    ///
    /// # Errors
    /// The node's refusal.
    pub async fn ask(&mut self, ticket: Vec<u8>) -> Result<usize, Status> {
        Ok(self.answer(ticket).await?.len())
    }
}
