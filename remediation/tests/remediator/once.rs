//! Delivered often, done once.

use serde_json::{Value, json};

use crate::world::{MEMBER, OWN, World, config, ids, violation_id};

#[test]
fn a_message_delivered_five_times_is_repaired_once_with_one_row_and_one_status() {
    let world = World::new(&config());
    let instance = world.instance(&[]);
    let asked = world.inline(MEMBER, "bob");
    for _ in 0..5 {
        assert!(instance.deliver([&asked]).is_empty());
        // Whoever puts it back in between does so in a new event: this message has had its repair.
        world.put_inline(MEMBER, "bob");
    }
    assert_eq!(instance.changes(), ["DeleteUserPolicy"]);
    assert!(world.has_inline(MEMBER, "bob"));
    let rows = world.rows_of(&violation_id(&asked));
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!((rows[0]["status"].clone(), rows[0]["attempt"].clone()), (json!("SUCCESS"), json!(1)));
    let heard = world.hear(1);
    assert_eq!((heard.len(), ids(&heard).len()), (1, 1));
}

#[test]
fn two_instances_at_once_repair_each_message_once() {
    let world = World::new(&config());
    let instances = [world.instance(&[]), world.instance(&[])];
    let asked: Vec<Value> = (0..8).map(|number| world.inline(OWN, &format!("user{number}"))).collect();
    std::thread::scope(|scope| {
        for instance in &instances {
            scope.spawn(|| {
                let mut waiting: Vec<&Value> = asked.iter().collect();
                for _ in 0..100 {
                    let back = instance.deliver(waiting.iter().copied());
                    waiting = back.into_iter().map(|place| waiting[place]).collect();
                    if waiting.is_empty() {
                        return;
                    }
                    std::thread::sleep(std::time::Duration::from_millis(200));
                }
                panic!("{} messages are handed back for ever", waiting.len());
            });
        }
    });
    let changes: usize = instances.iter().map(|instance| instance.changes().len()).sum();
    assert_eq!(changes, asked.len());
    for message in &asked {
        assert_eq!(world.rows_of(&violation_id(message)).len(), 1);
    }
    assert_eq!(ids(&world.hear(asked.len())).len(), asked.len());
}
