//! What Lambda hands over, and what it wants back.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use base64_simd::Out;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The event of a Kinesis event source mapping.
#[derive(Debug, Deserialize)]
pub struct KinesisBatch {
    /// Records of one shard, in order.
    #[serde(rename = "Records")]
    pub records: Vec<EventRecord>,
}

/// A record as Lambda writes it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventRecord {
    /// `shardId-000000000000:49545…`.
    #[serde(rename = "eventID")]
    event_id: String,
    kinesis: KinesisPart,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KinesisPart {
    sequence_number: String,
    data: String,
    /// Seconds since the epoch, with a fraction.
    approximate_arrival_timestamp: f64,
}

/// A record of a stream, from wherever it was read.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its shard.
    pub shard_id: String,
    /// Its place in the shard.
    pub sequence_number: String,
    /// When the stream took it.
    pub arrival: Option<DateTime<Utc>>,
    /// Its bytes.
    pub data: Data,
}

/// Bytes of a record.
#[derive(Debug, Clone)]
pub enum Data {
    /// As Lambda hands them over.
    Base64(String),
    /// As GetRecords gives them.
    Bytes(Vec<u8>),
}

impl From<EventRecord> for Record {
    fn from(record: EventRecord) -> Record {
        let shard_id = record.event_id.split(':').next().unwrap_or_default().to_owned();
        // Rounded to what the lake keeps; a number that is no time gives none.
        let millis = (record.kinesis.approximate_arrival_timestamp * 1000.0).round();
        let arrival = if millis.is_finite() { DateTime::from_timestamp_millis(millis as i64) } else { None };
        Record {
            shard_id,
            sequence_number: record.kinesis.sequence_number,
            arrival,
            data: Data::Base64(record.kinesis.data),
        }
    }
}

impl Data {
    /// The bytes, decoded into `buffer` where they have to be.
    pub(super) fn bytes<'b>(&'b self, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], base64::DecodeError> {
        match self {
            Data::Bytes(bytes) => Ok(bytes),
            Data::Base64(text) => {
                let room = base64_simd::STANDARD.estimated_decoded_length(text.len());
                if buffer.len() < room {
                    buffer.resize(room, 0);
                }
                let decoded = base64_simd::STANDARD.decode(text.as_bytes(), Out::from_slice(buffer));
                if let Ok(length) = decoded.map(|bytes| bytes.len()) {
                    return Ok(buffer.get(..length).unwrap_or_default());
                }
                // Says what is wrong, and where.
                buffer.clear();
                BASE64_STANDARD.decode_vec(text, buffer)?;
                Ok(buffer)
            }
        }
    }
}

/// The answer to a batch. AWS's own crate leaves the list out in some forms, and a list that is left out means success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchAnswer {
    /// Empty when all is done; else the first record that is not.
    pub batch_item_failures: Vec<ItemFailure>,
}

/// A record that is not done. Everything from it on is delivered again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemFailure {
    /// Its sequence number.
    pub item_identifier: String,
}

impl BatchAnswer {
    pub(super) fn failed_from(sequence_number: Option<&str>) -> BatchAnswer {
        let failure = |number: &str| ItemFailure { item_identifier: number.to_owned() };
        BatchAnswer { batch_item_failures: sequence_number.map(failure).into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn d15_the_answer_always_has_the_list_under_aws_names() {
        assert_eq!(serde_json::to_value(BatchAnswer::failed_from(None)).unwrap(), json!({"batchItemFailures": []}));
        assert_eq!(
            serde_json::to_value(BatchAnswer::failed_from(Some("49"))).unwrap(),
            json!({"batchItemFailures": [{"itemIdentifier": "49"}]})
        );
    }

    proptest! {
        #[test]
        fn base64_is_decoded_as_the_exact_decoder_does(bytes in proptest::collection::vec(any::<u8>(), 0..200), damage in any::<u8>()) {
            let text = BASE64_STANDARD.encode(&bytes);
            let mut damaged = text.clone().into_bytes();
            damaged.iter_mut().skip(usize::from(damage) % 200).take(1).for_each(|byte| *byte = damage);
            let mut buffer = vec![7; 50];
            let data = Data::Base64(text);
            prop_assert_eq!(data.bytes(&mut buffer).unwrap(), &bytes[..]);
            if let Ok(text) = String::from_utf8(damaged) {
                let exact = BASE64_STANDARD.decode(&text);
                prop_assert_eq!(Data::Base64(text).bytes(&mut buffer).map(<[u8]>::to_vec), exact);
            }
        }
    }

    #[test]
    fn a_record_of_lambda_is_read_with_shard_place_and_time() {
        let event = json!({"Records": [{
            "eventID": "shardId-000000000006:49590338", "eventName": "aws:kinesis:record", "eventSource": "aws:kinesis",
            "kinesis": {"kinesisSchemaVersion": "1.0", "partitionKey": "1", "sequenceNumber": "49590338",
                        "data": "SGVsbG8=", "approximateArrivalTimestamp": 1545084650.987}}]});
        let batch: KinesisBatch = serde_json::from_value(event).unwrap();
        let record = Record::from(batch.records.into_iter().next().unwrap());
        assert_eq!((record.shard_id.as_str(), record.sequence_number.as_str()), ("shardId-000000000006", "49590338"));
        assert_eq!(record.arrival.unwrap().timestamp_millis(), 1_545_084_650_987);
        assert_eq!(record.data.bytes(&mut Vec::new()).unwrap(), b"Hello");
    }
}
