//! The catalog: what organizations, teams and people offer.

use reqwest::Method;
use reqwest::header::IF_MATCH;
use wharf_api::profile::{
    CatalogChange, CatalogContent, CatalogDraft, CatalogItem, CatalogPage, CatalogType,
};

use super::{V1, condition};
use crate::client::Client;
use crate::error::Error;

/// Which items, and which part of them.
#[derive(Debug, Clone, Copy, Default)]
pub struct CatalogQuery<'a> {
    /// Which page, counted from 1; the first when absent.
    pub page: Option<u32>,
    /// Most items of a page.
    pub size: Option<u32>,
    /// Only of this type.
    pub kind: Option<CatalogType>,
    /// Only with this text in name, description or tags.
    pub text: Option<&'a str>,
    /// Only of such owners: `org`, `team`, `user`, or one team's, `team:ID`.
    pub scope: Option<&'a str>,
}

impl Client {
    fn catalog(&self, method: Method, path: &[&str]) -> reqwest::RequestBuilder {
        self.quick(method, &[&V1[..], &["catalog"], path].concat())
    }

    /// What the catalog offers to who asks, by name.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn catalog_page(&self, query: CatalogQuery<'_>) -> Result<CatalogPage, Error> {
        let mut request = self.catalog(Method::GET, &[]);
        for (name, number) in [("page", query.page), ("size", query.size)] {
            if let Some(number) = number {
                request = request.query(&[(name, number)]);
            }
        }
        if let Some(kind) = query.kind {
            request = request.query(&[("type", kind)]);
        }
        if let Some(text) = query.text {
            request = request.query(&[("q", text)]);
        }
        if let Some(scope) = query.scope {
            request = request.query(&[("scope", scope)]);
        }
        self.json(request).await
    }

    /// One item.
    ///
    /// # Errors
    /// When there is none of that id, or no server.
    pub async fn catalog_item(&self, id: &str) -> Result<CatalogItem, Error> {
        self.json(self.catalog(Method::GET, &["items", id])).await
    }

    /// One item with its content.
    ///
    /// # Errors
    /// When there is none of that id, or no server.
    pub async fn catalog_content(&self, id: &str) -> Result<CatalogContent, Error> {
        self.json(self.catalog(Method::GET, &["items", id, "raw"]))
            .await
    }

    /// Offers an item.
    ///
    /// # Errors
    /// When its owner has one of that type and name, or the server refuses or cannot be reached.
    pub async fn add_catalog_item(&self, draft: &CatalogDraft) -> Result<CatalogItem, Error> {
        let request = self.catalog(Method::POST, &["items"]);
        self.json(request.json(draft)).await
    }

    /// Changes an item, if its revision is still this one; whatever it is where none is given. What
    /// the change leaves out stays as it is.
    ///
    /// # Errors
    /// When there is none of that id, its revision is another, or the server cannot be reached.
    pub async fn change_catalog_item(
        &self,
        id: &str,
        change: &CatalogChange,
        revision: Option<i64>,
    ) -> Result<CatalogItem, Error> {
        let mut request = self.catalog(Method::PUT, &["items", id]).json(change);
        if let Some(revision) = revision {
            request = request.header(IF_MATCH, condition(&revision.to_string())?);
        }
        self.json(request).await
    }

    /// Takes an item out, if its revision is still this one; whatever it is where none is given.
    ///
    /// # Errors
    /// When there is none of that id, its revision is another, or the server cannot be reached.
    pub async fn remove_catalog_item(&self, id: &str, revision: Option<i64>) -> Result<(), Error> {
        let mut request = self.catalog(Method::DELETE, &["items", id]);
        if let Some(revision) = revision {
            request = request.header(IF_MATCH, condition(&revision.to_string())?);
        }
        self.send(request).await.map(drop)
    }
}
