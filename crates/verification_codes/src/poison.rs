//! What stands in the queue for messages that cannot be handled.

use crate::queue::Received;
use serde_json::json;

/// The most of a message that is kept, in bytes: with its quotes escaped, it has to fit the 64 KiB of another message.
const LONGEST_TEXT: usize = 24 * 1024;

/// A note of the message and of why it was set aside.
pub(crate) fn note(received: &Received, why: &str) -> String {
    let text = &received.text;
    let kept = text.get(..text.floor_char_boundary(LONGEST_TEXT)).unwrap_or_default();
    json!({
        "why": why,
        "message_id": received.receipt.message_id,
        "dequeue_count": received.dequeue_count,
        "text": kept,
        "is_cut": kept.len() < text.len(),
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::Receipt;
    use serde_json::Value;

    #[test]
    fn the_note_of_the_longest_message_is_a_message_too() {
        for filling in ["\"", "가", "a"] {
            let received = Received {
                text: filling.repeat(64 * 1024 / filling.len()),
                dequeue_count: 1,
                receipt: Receipt {
                    message_id: "1b4e28ba-2fa1-4d2b-883f-0016d3cca427".to_owned(),
                    pop_receipt: String::new(),
                },
            };
            let note = note(&received, "it is neither JSON nor the base64 of JSON");
            assert!(note.len() < 64 * 1024);
            let note: Value = serde_json::from_str(&note).unwrap();
            assert_eq!(note["is_cut"], true);
            assert!(received.text.starts_with(note["text"].as_str().unwrap()));
            assert!(note["text"].as_str().unwrap().len() > 24_000);
        }
    }
}
