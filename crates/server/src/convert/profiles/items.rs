//! Items of the catalog.

use wharf_api::profile::{
    CatalogChange, CatalogContent, CatalogDraft, CatalogItem, CatalogOwner, CatalogPage,
    CatalogScope, CatalogType,
};
use wharf_profiles::catalog::{Draft, Item, ItemType, Page};
use wharf_profiles::{Layer, Owner};

use crate::error::Failure;

pub(crate) fn page(page: &Page) -> CatalogPage {
    CatalogPage {
        items: page.items.iter().map(shown).collect(),
        total: page.total,
        page: page.page,
        size: page.size,
        pages: page.pages,
    }
}

pub(crate) fn shown(item: &Item) -> CatalogItem {
    let draft = &item.draft;
    CatalogItem {
        id: item.id.clone(),
        kind: kind_shown(draft.kind),
        name: draft.name.clone(),
        description: draft.description.clone(),
        tags: draft.tags.clone(),
        scope: scope(&item.owner),
        scope_id: item.owner.id().to_owned(),
        revision: item.revision,
        updated_at: item.changed_at.to_string(),
    }
}

pub(crate) fn content(item: Item) -> CatalogContent {
    let draft = item.draft;
    CatalogContent {
        name: draft.name,
        kind: kind_shown(draft.kind),
        description: draft.description,
        tags: draft.tags,
        content: draft.content,
    }
}

pub(crate) fn draft(wire: CatalogDraft) -> Draft {
    Draft {
        kind: kind(wire.kind),
        name: wire.name,
        description: wire.description,
        tags: wire.tags,
        content: wire.content,
    }
}

/// What an item becomes; what the change leaves out stays as it is.
pub(crate) fn changed(before: &Draft, wire: CatalogChange) -> Draft {
    let before = before.clone();
    Draft {
        kind: wire.kind.map_or(before.kind, kind),
        name: wire.name.unwrap_or(before.name),
        description: wire.description.unwrap_or(before.description),
        tags: wire.tags.unwrap_or(before.tags),
        content: wire.content.unwrap_or(before.content),
    }
}

/// Refuses to give an item to another owner.
pub(crate) fn stays(wanted: &CatalogOwner, owner: &Owner) -> Result<(), Failure> {
    let other = |member: &str| {
        let message = "the owner of an item stays as it is";
        Err(Failure::invalid_field(member, message))
    };
    if wanted.scope.is_some_and(|wanted| wanted != scope(owner)) {
        return other("scope");
    }
    if wanted
        .scope_id
        .as_deref()
        .is_some_and(|id| id != owner.id())
    {
        return other("scope_id");
    }
    Ok(())
}

const fn scope(owner: &Owner) -> CatalogScope {
    match owner.layer() {
        Layer::Organization => CatalogScope::Org,
        Layer::Team => CatalogScope::Team,
        Layer::User => CatalogScope::User,
    }
}

const fn kind(kind: CatalogType) -> ItemType {
    match kind {
        CatalogType::Skill => ItemType::Skill,
        CatalogType::Command => ItemType::Command,
        CatalogType::Agent => ItemType::Agent,
        CatalogType::OutputStyle => ItemType::OutputStyle,
        CatalogType::McpServer => ItemType::McpServer,
        CatalogType::Hook => ItemType::Hook,
        CatalogType::Tool => ItemType::Tool,
    }
}

const fn kind_shown(kind: ItemType) -> CatalogType {
    match kind {
        ItemType::Skill => CatalogType::Skill,
        ItemType::Command => CatalogType::Command,
        ItemType::Agent => CatalogType::Agent,
        ItemType::OutputStyle => CatalogType::OutputStyle,
        ItemType::McpServer => CatalogType::McpServer,
        ItemType::Hook => CatalogType::Hook,
        ItemType::Tool => CatalogType::Tool,
    }
}
