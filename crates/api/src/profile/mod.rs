//! Agent configuration: profiles, the catalog, what is synced.
//!
//! `PROFILE` in a path is `me`, `org` (the caller's organization) or `team:ID`.

pub mod catalog;
pub mod content;
pub mod team;
pub mod tree;
pub mod upstream;

pub use catalog::{
    CatalogChange, CatalogContent, CatalogDraft, CatalogItem, CatalogOwner, CatalogPage,
    CatalogScope, CatalogType,
};
pub use content::{
    ConfigurationContent, ConfigurationHistory, ConfigurationVersion, EffectiveConfiguration,
    EffectivePart, PutConfiguration,
};
pub use team::{CreateTeam, PutTeamMember, Team, TeamList, TeamMember, TeamMemberList};
pub use tree::{
    BLOBS_TYPE, BlobsRequest, ProfileDifferences, ProfileFile, ProfileLayer, ProfileOrigin,
    ProfileOrigins, ProfileTree, ProfileTreeFile, ProfileUpload, TREE_TYPE,
};
pub use upstream::{
    Divergence, PutUpstream, UpstreamDone, UpstreamPull, UpstreamShown, WebhookSecret,
};
