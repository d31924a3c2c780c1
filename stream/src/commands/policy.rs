//! `detector policy`: policy questions of other programs, JSON lines in and JSON lines out.

use std::io::{self, BufRead, BufWriter, Read, Write};

use anyhow::Result;
use chrono::DateTime;
use detection::{CloudTrailEvent, extract};
use policy::{MAX_LINE_BYTES, answer};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Exit;

/// Answers every line of standard input, in the same order, until it ends. A bad line is answered too.
pub fn run() -> Result<Exit> {
    answer_lines(io::stdin().lock(), BufWriter::new(io::stdout().lock()))?;
    Ok(Exit::Done)
}

fn answer_lines(mut input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = input.by_ref().take(MAX_LINE_BYTES as u64 + 1).read_until(b'\n', &mut line)?;
        if read == 0 {
            return output.flush();
        }
        if line.len() > MAX_LINE_BYTES && line.last() != Some(&b'\n') {
            input.skip_until(b'\n')?;
            writeln!(output, "{}", refusal(&format!("line is longer than {MAX_LINE_BYTES} bytes")))?;
        } else if !line.trim_ascii().is_empty() {
            writeln!(output, "{}", answer_line(&line))?;
        }
        // Whoever asks line by line waits for each answer.
        output.flush()?;
    }
}

#[derive(Deserialize)]
struct AboutEvent<'l> {
    id: Option<Value>,
    #[serde(borrow)]
    event: &'l RawValue,
}

fn answer_line(line: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(line.trim_ascii()) else {
        return refusal("line is not UTF-8");
    };
    match serde_json::from_str::<AboutEvent<'_>>(text) {
        Ok(asked) => about_event(&asked),
        Err(_) => answer(text),
    }
}

/// What an event changes, as in the table of events that change privilege.
fn about_event(asked: &AboutEvent<'_>) -> String {
    // The time plays no part in the answer, so an event without one is read all the same.
    match CloudTrailEvent::parse(asked.event.get(), Some(DateTime::UNIX_EPOCH)) {
        Err(error) => json!({"id": asked.id, "error": error.to_string()}).to_string(),
        Ok(event) => {
            let found = extract(&event);
            json!({
                "id": asked.id,
                "kind": found.kind,
                "subject": found.subject,
                "has_document": found.has_document,
                "document": found.document,
                "arn": found.arn,
            })
            .to_string()
        }
    }
}

fn refusal(reason: &str) -> String {
    json!({"id": null, "error": reason}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(input: &[u8]) -> Vec<Value> {
        let mut output = Vec::new();
        answer_lines(input, &mut output).unwrap();
        output
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }

    #[test]
    fn every_line_is_answered_in_order_and_bad_ones_do_not_stop_it() {
        let input = concat!(
            r#"{"id":1,"policy":{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}}"#,
            "\n\nrubbish\n\u{fffd}\n",
            r#"{"id":"e","event":{"eventName":"PutUserPolicy","eventSource":"iam.amazonaws.com","requestParameters":{"userName":"bob","policyDocument":"{}"}}}"#,
            "\n",
            r#"{"id":2,"event":{"eventSource":"iam.amazonaws.com"}}"#,
        );
        let answers = answers(input.as_bytes());
        assert_eq!(answers.len(), 5);
        assert_eq!((&answers[0]["id"], &answers[0]["full_admin"]), (&json!(1), &json!(true)));
        assert!(answers[1]["error"].is_string() && answers[2]["error"].is_string());
        assert_eq!(answers[3]["kind"], "inline_policy_put");
        assert_eq!((&answers[3]["subject"], &answers[3]["has_document"]), (&json!("bob"), &json!(true)));
        assert_eq!(answers[4]["id"], 2);
        assert!(answers[4]["error"].as_str().unwrap().contains("eventName"));
    }

    #[test]
    fn a_line_over_the_limit_is_refused_and_the_next_one_answered() {
        let mut input = vec![b'x'; MAX_LINE_BYTES + 1];
        input.extend(b"\n{\"id\":7,\"policy\":{\"Statement\":[]}}\n");
        let answers = answers(&input);
        assert_eq!(answers.len(), 2);
        assert!(answers[0]["error"].as_str().unwrap().contains("longer than"));
        assert_eq!(answers[1]["id"], 7);
    }
}
