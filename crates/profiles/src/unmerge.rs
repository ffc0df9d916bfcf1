//! What is a person's own in a JSON file that layers were [merged](crate::merge) into.

use serde_json::{Map, Value};

use crate::limits::MERGE_DEPTH_MAX;

type Object = Map<String, Value>;

/// The person's own part of `sent`, so that the layers merge into it again: three-way, by key.
///
/// `outer` is what the layers around say together, `own` what the person said until now, and `was`
/// both of it merged, which `sent` was made from. What did not change stays as it is in `own`, so
/// that a later change of an outer layer arrives. A value like the outer one is not one's own. A
/// member of an outer layer cannot be taken away: in a merge there is no word for that.
pub(crate) fn unmerge(outer: &Object, own: &Object, was: &Object, sent: &Object) -> Object {
    object(Some(outer), Some(own), was, sent, 0)
}

fn object(
    outer: Option<&Object>,
    own: Option<&Object>,
    was: &Object,
    sent: &Object,
    depth: usize,
) -> Object {
    let names = own.into_iter().flat_map(Map::keys);
    let new = sent.keys();
    let new = new.filter(|name| !own.is_some_and(|own| own.contains_key(*name)));
    let mut result = Object::new();
    for name in names.chain(new) {
        let sides = Sides {
            outer: outer.and_then(|outer| outer.get(name)),
            own: own.and_then(|own| own.get(name)),
            was: was.get(name),
            sent: sent.get(name),
        };
        if let Some(value) = sides.own_value(depth + 1) {
            result.insert(name.clone(), value);
        }
    }
    result
}

/// One member on all sides.
struct Sides<'a> {
    outer: Option<&'a Value>,
    own: Option<&'a Value>,
    was: Option<&'a Value>,
    sent: Option<&'a Value>,
}

impl Sides<'_> {
    fn own_value(&self, depth: usize) -> Option<Value> {
        if self.sent == self.was {
            return self.own.cloned();
        }
        let sent = self.sent?;
        if let (Some(Value::Object(was)), Value::Object(sent)) = (self.was, sent)
            && depth < MERGE_DEPTH_MAX
        {
            let outer = self.outer.and_then(Value::as_object);
            let own = self.own.and_then(Value::as_object);
            let left = object(outer, own, was, sent, depth);
            // An empty object is of no use where there is one around it.
            let is_given = outer.is_some();
            return (!is_given || !left.is_empty()).then_some(Value::Object(left));
        }
        (self.outer != Some(sent)).then(|| sent.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Object {
        crate::merge::object(text.as_bytes()).unwrap()
    }

    /// The new own part, and the view that it makes.
    fn sent(outer: &str, own: &str, sent: &str) -> (String, String) {
        let was = crate::merge::merge(&[outer, own]).unwrap().value;
        let left = unmerge(&parsed(outer), &parsed(own), &was, &parsed(sent));
        let left = Value::Object(left).to_string();
        let view = crate::merge::merge(&[outer, &left]).unwrap().value;
        (left, Value::Object(view).to_string())
    }

    const OUTER: &str = r#"{"model":"opus","env":{"A":"1","B":"1"},"allow":["x"]}"#;

    #[test]
    fn only_what_was_changed_is_ones_own() {
        let same = r#"{"model":"opus","env":{"A":"1","B":"1"},"allow":["x"]}"#;
        assert_eq!(sent(OUTER, "{}", same).0, "{}");
        let edited = r#"{"model":"opus","env":{"A":"1","B":"2","C":"3"},"allow":["x","y"]}"#;
        let own = r#"{"env":{"B":"2","C":"3"},"allow":["x","y"]}"#;
        assert_eq!(sent(OUTER, "{}", edited), (own.into(), edited.into()));
        // From there on, one more change and one taken back.
        let next = r#"{"model":"haiku","env":{"A":"1","B":"1","C":"3"},"allow":["x","y"]}"#;
        let left = r#"{"env":{"C":"3"},"allow":["x","y"],"model":"haiku"}"#;
        assert_eq!(sent(OUTER, own, next), (left.into(), next.into()));
    }

    #[test]
    fn what_is_taken_away_shows_the_outer_value_again() {
        let own = r#"{"model":"haiku","env":{"C":"3"}}"#;
        let taken = r#"{"env":{"A":"1"},"allow":["x"]}"#;
        let (left, view) = sent(OUTER, own, taken);
        assert_eq!(left, "{}");
        assert_eq!(view, OUTER);
    }

    #[test]
    fn a_value_that_is_like_the_outer_one_stays_ones_own_until_it_is_touched() {
        let own = r#"{"model":"opus"}"#;
        let edited = r#"{"model":"opus","env":{"A":"2","B":"1"},"allow":["x"]}"#;
        let (left, _) = sent(OUTER, own, edited);
        assert_eq!(left, r#"{"model":"opus","env":{"A":"2"}}"#);
    }

    #[test]
    fn objects_and_values_change_places() {
        let (left, view) = sent(r#"{"a":{"b":1}}"#, r#"{"a":5}"#, r#"{"a":{"c":2}}"#);
        assert_eq!(left, r#"{"a":{"c":2}}"#);
        assert_eq!(view, r#"{"a":{"b":1,"c":2}}"#);
        let (left, view) = sent(r#"{"a":{"b":1}}"#, "{}", r#"{"a":null}"#);
        assert_eq!(
            (left.as_str(), view.as_str()),
            (r#"{"a":null}"#, r#"{"a":null}"#)
        );
        let (left, view) = sent(r#"{"a":1}"#, r#"{"x":{"y":1}}"#, r#"{"a":1,"x":{}}"#);
        assert_eq!(
            (left.as_str(), view.as_str()),
            (r#"{"x":{}}"#, r#"{"a":1,"x":{}}"#)
        );
    }

    #[test]
    fn what_is_deeper_than_a_merge_goes_is_one_value() {
        let deep = |value: &str| {
            let depth = MERGE_DEPTH_MAX;
            format!("{}{value}{}", r#"{"a":"#.repeat(depth), "}".repeat(depth))
        };
        let outer = deep(r#"{"x":1,"y":1}"#);
        let edited = deep(r#"{"x":1,"y":2}"#);
        assert_eq!(sent(&outer, "{}", &edited), (edited.clone(), edited));
        let shallow = |value: &str| {
            let depth = MERGE_DEPTH_MAX - 1;
            format!("{}{value}{}", r#"{"a":"#.repeat(depth), "}".repeat(depth))
        };
        let outer = shallow(r#"{"x":1,"y":1}"#);
        let edited = shallow(r#"{"x":1,"y":2}"#);
        assert_eq!(sent(&outer, "{}", &edited), (shallow(r#"{"y":2}"#), edited));
    }
}
