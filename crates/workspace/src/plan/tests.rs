//! Plans over random trees of three sides, carried out on a model of the far side.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::manifest::Hash;

type Tree = BTreeMap<Vec<u8>, Node>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    Dir,
    File(u8),
    Link(u8),
}

fn leaf() -> impl Strategy<Value = Option<Node>> {
    prop_oneof![
        2 => Just(None),
        3 => (0..3_u8).prop_map(|content| Some(Node::File(content))),
        1 => (0..2_u8).prop_map(|content| Some(Node::Link(content))),
        1 => Just(Some(Node::Dir)),
    ]
}

/// Up to three names, each nothing, a file, a link or a directory with up to three in it.
fn tree() -> impl Strategy<Value = Tree> {
    let below = prop_oneof![
        2 => leaf().prop_map(|node| (node, vec![])),
        2 => proptest::collection::vec(leaf(), 3).prop_map(|nodes| (Some(Node::Dir), nodes)),
    ];
    proptest::collection::vec(below, 3).prop_map(|tops| {
        let mut tree = Tree::new();
        for (name, (node, nodes)) in [b'a', b'b', b'c'].into_iter().zip(tops) {
            let Some(node) = node else { continue };
            tree.insert(vec![name], node);
            for (below, node) in [b'x', b'y', b'z'].into_iter().zip(nodes) {
                if let Some(node) = node {
                    tree.insert(vec![name, b'/', below], node);
                }
            }
        }
        tree
    })
}

fn entry(path: &[u8], node: Node) -> Entry {
    let what = match node {
        Node::Dir => What::Dir,
        Node::File(content) => What::File {
            size: 1,
            hash: Hash::of(&[content]),
            sparse: false,
        },
        Node::Link(content) => What::Link {
            target: Box::new([content]),
        },
    };
    Entry {
        path: RelPath::parse(path).unwrap(),
        what,
        mode: 0o755,
        mtime_ns: 0,
    }
}

fn manifest(tree: &Tree) -> Manifest {
    Manifest::from_entries(tree.iter().map(|(path, node)| entry(path, *node)).collect())
}

/// What a look would say: contents are not seen, but that something was touched is.
fn view(agreed: &Tree, far: &Tree) -> FarView {
    let paths = agreed.keys().chain(far.keys());
    let changed = paths.filter(|path| agreed.get(*path) != far.get(*path));
    FarView::from_changes(changed.map(|path| {
        let there = far.get(path).map(|node| {
            let (kind, content) = match node {
                Node::Dir => (FarKind::Dir, 0),
                Node::File(content) => (FarKind::File, *content),
                Node::Link(content) => (FarKind::Link, *content),
            };
            // Never as it is here by its time: what is adopted has tests of its own.
            let stamp = Box::new([content]);
            FarEntry {
                kind,
                mode: 0o755,
                size: 1,
                mtime: 77,
                stamp,
            }
        });
        (RelPath::parse(path).unwrap(), there)
    }))
}

/// Carries it out as the far side does, and holds it to what that can do.
fn carry_out(plan: &Plan, far: &mut Tree) {
    let has_below = |far: &Tree, path: &RelPath| {
        far.keys()
            .any(|other| other != path.as_bytes() && crate::path::is_within(other, path.as_bytes()))
    };
    for delete in plan.deletes.iter().filter(|delete| !delete.is_dir) {
        assert_ne!(
            far.get(delete.path.as_bytes()),
            Some(&Node::Dir),
            "rm of a directory"
        );
        far.remove(delete.path.as_bytes());
    }
    for delete in plan.deletes.iter().rev().filter(|delete| delete.is_dir) {
        assert!(
            !has_below(far, &delete.path),
            "{:?} is not empty",
            delete.path
        );
        far.remove(delete.path.as_bytes());
    }
    for send in &plan.sends {
        let path = &send.entry.path;
        if let Some(parent) = path.parent() {
            assert_eq!(
                far.get(parent),
                Some(&Node::Dir),
                "{path:?} has no directory"
            );
        }
        let before = far.get(path.as_bytes());
        assert_ne!(before, Some(&Node::Dir), "{path:?} is a directory there");
        assert!(
            send.entry.what != What::Dir || before.is_none(),
            "{path:?} is in the way"
        );
        let node = match &send.entry.what {
            What::Dir => Node::Dir,
            What::File { hash, .. } => Node::File(
                (0..3)
                    .find(|content| Hash::of(&[*content]) == *hash)
                    .unwrap(),
            ),
            What::Link { target } => Node::Link(target[0]),
        };
        far.insert(path.as_bytes().to_vec(), node);
    }
}

fn agree(plan: &Plan, agreed: &Tree, far: &Tree) -> Tree {
    let mut next = agreed.clone();
    let gone = plan
        .deletes
        .iter()
        .map(|delete| &delete.path)
        .chain(&plan.forgotten);
    for path in gone {
        next.remove(path.as_bytes());
    }
    let known = plan
        .sends
        .iter()
        .map(|send| &send.entry)
        .chain(&plan.adopted)
        .chain(&plan.modes);
    for entry in known {
        let path = entry.path.as_bytes();
        next.insert(path.to_vec(), far[path]);
    }
    next
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nothing_of_theirs_is_lost_and_all_else_is_as_it_is_here(
        agreed in tree(), local in tree(), far in tree(), held in proptest::option::of(Just(b"a/x".to_vec())),
    ) {
        let findings: Vec<crate::look::Finding> = held
            .iter()
            .map(|path| crate::look::Finding {
                path: RelPath::parse(path).unwrap(),
                reason: crate::look::Reason::Name,
            })
            .collect();
        let held = Held::all(&findings);
        let options = Options::default();
        let before = far.clone();
        let (mut far, mut agreed) = (far, agreed);
        for round in 0..2 {
            let (local, known) = (manifest(&local), manifest(&agreed));
            let view = view(&agreed, &far);
            let sides = Sides { local: &local, left: &[], held: &held, agreed: &known, far: &view };
            let plan = plan(sides, &options);
            prop_assert!(round == 0 || plan.is_empty(), "the second push does something: {plan:?}");
            // What changed there is there.
            carry_out(&plan, &mut far);
            for (path, there) in view.changes() {
                if there.is_some() {
                    prop_assert_eq!(before.get(path.as_bytes()), far.get(path.as_bytes()), "{:?}", path);
                }
            }
            // Whatever is not as it is here is said.
            let kept: BTreeSet<&[u8]> = plan.kept.iter().map(|kept| kept.path.as_bytes()).collect();
            for entry in local.entries() {
                let path = entry.path.as_bytes();
                let there = far.get(path).map(|node| super::tests::entry(path, *node));
                let is_same = there.is_some_and(|there| there.is_same(entry));
                let is_said = kept.contains(path) || held.has(path);
                prop_assert!(is_same || is_said, "{:?} is not said", entry.path);
            }
            for entry in known.entries() {
                let path = entry.path.as_bytes();
                let is_left = local.get(path).is_none() && far.contains_key(path);
                prop_assert!(!is_left || kept.contains(path), "{:?} is left unsaid", entry.path);
            }
            agreed = agree(&plan, &agreed, &far);
        }
    }

    #[test]
    fn by_force_it_is_carried_out_as_well(agreed in tree(), local in tree(), far in tree()) {
        let options = Options { force: true, ..Options::default() };
        let (known, local) = (manifest(&agreed), manifest(&local));
        let view = view(&agreed, &far);
        let held = Held::default();
        let sides = Sides { local: &local, left: &[], held: &held, agreed: &known, far: &view };
        let plan = plan(sides, &options);
        let mut after = far.clone();
        carry_out(&plan, &mut after);
        for (path, node) in &far {
            let was_ours = agreed.contains_key(path) || local.get(path).is_some();
            prop_assert!(was_ours || after.get(path) == Some(node), "it was never ours");
        }
    }
}
