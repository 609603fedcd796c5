//! What stands at a RabbitMQ, found without changing anything.

use futures_util::future::join_all;
use lapin::{Connection, ErrorKind, types::AMQPValue};

use super::broker::{Broker, PRECONDITION_FAILED, declare_exchange, declare_queue};
use crate::domain::error::Result;

/// AMQP's reply code for what is not there.
const NOT_FOUND: u16 = 404;

/// What stands at a broker, beside what this version declares.
#[derive(Debug, Default)]
pub struct Survey {
    /// Where it was looked.
    pub vhost: String,
    /// Queues that there are to be.
    pub queues: usize,
    /// Those that are not there yet.
    pub missing: usize,
    /// What the broker says of those that were declared otherwise, by another version or another program.
    pub other: Vec<String>,
    /// Jobs that it has for workers.
    pub messages: u32,
    /// Workers that take them.
    pub consumers: u32,
    /// Messages that made no sense, or were brought too often.
    pub dead: u32,
}

impl Broker {
    /// Looks at what stands at the broker, and makes nothing that is not there.
    ///
    /// # Errors
    /// `dependency_unavailable` when it can't be reached, or does not let us in.
    pub async fn survey(&self) -> Result<Survey> {
        self.compared().await.map_err(|error| self.refused(&error))
    }

    async fn compared(&self) -> lapin::Result<Survey> {
        let connection = self.open().await?;
        let queues = self.queues();
        let looks = queues.iter().map(|(name, arguments)| look(&connection, name, arguments));
        let dead = self.dead();
        let (exchange, looks) = tokio::join!(look_at_exchange(&connection, &dead), join_all(looks));
        let vhost = self.uri.vhost.clone();
        let mut survey = Survey { vhost, queues: queues.len(), ..Survey::default() };
        survey.other.extend(exchange?);
        for ((name, _), found) in queues.iter().zip(looks) {
            match found? {
                Found::Nothing => survey.missing += 1,
                Found::Other(said) => survey.other.push(said),
                Found::Ours { messages, .. } if *name == dead => survey.dead = messages,
                Found::Ours { messages, consumers } if *name == self.queue => {
                    (survey.messages, survey.consumers) = (messages, consumers);
                }
                Found::Ours { .. } => {}
            }
        }
        // A broker that is gone needs no farewell.
        let _ = connection.close(200, "bye".into()).await;
        Ok(survey)
    }
}

/// What stands under a name.
enum Found {
    Nothing,
    Ours { messages: u32, consumers: u32 },
    Other(String),
}

/// Looks for a queue, without making one. One that is there is then declared, which changes nothing: the broker compares. Each
/// on a channel of its own, which ends with the first no.
async fn look(
    connection: &Connection,
    name: &str,
    arguments: &[(&str, AMQPValue)],
) -> lapin::Result<Found> {
    let channel = connection.create_channel().await?;
    let queue = match declare_queue(&channel, name, arguments, true).await {
        Err(error) if replied(&error, NOT_FOUND) => return Ok(Found::Nothing),
        queue => queue?,
    };
    match declare_queue(&channel, name, arguments, false).await {
        Err(error) if replied(&error, PRECONDITION_FAILED) => Ok(Found::Other(error.to_string())),
        Err(error) => Err(error),
        Ok(_) => {
            Ok(Found::Ours { messages: queue.message_count(), consumers: queue.consumer_count() })
        }
    }
}

/// The same for the exchange; what is wrong with it.
async fn look_at_exchange(connection: &Connection, name: &str) -> lapin::Result<Option<String>> {
    let channel = connection.create_channel().await?;
    match declare_exchange(&channel, name, true).await {
        Err(error) if replied(&error, NOT_FOUND) => return Ok(None),
        found => found?,
    }
    match declare_exchange(&channel, name, false).await {
        Err(error) if replied(&error, PRECONDITION_FAILED) => Ok(Some(error.to_string())),
        declared => declared.map(|()| None),
    }
}

/// Whether the broker's answer was this.
fn replied(error: &lapin::Error, code: u16) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(said) if said.get_id() == code)
}
