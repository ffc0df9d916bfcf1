//! Text in HTML.

use crate::middleware::log::is_format;

/// HTML under construction. Markup is what the program itself says (`&'static str`); whatever came
/// from elsewhere can only be added as text or as an attribute's value, and is escaped.
#[derive(Debug, Default)]
pub(crate) struct Html(String);

impl Html {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds markup.
    pub(crate) fn markup(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Adds text, or the value of an attribute that stands in double quotes. Characters that are
    /// not seen but change what is seen around them become U+FFFD: a device chooses its own name.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        for letter in text.chars() {
            match letter {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                hidden if hidden.is_control() || is_format(hidden) => self.0.push('\u{fffd}'),
                plain => self.0.push(plain),
            }
        }
        self
    }

    /// Adds other HTML.
    pub(crate) fn html(&mut self, other: &Self) -> &mut Self {
        self.0.push_str(&other.0);
        self
    }

    /// Adds `<input type="hidden">`.
    pub(crate) fn hidden(&mut self, name: &'static str, value: &str) -> &mut Self {
        self.markup("<input type=\"hidden\" name=\"").markup(name);
        self.markup("\" value=\"").text(value).markup("\">")
    }

    /// All of it.
    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_from_elsewhere_is_text_and_stays_in_its_place() {
        let mut html = Html::new();
        html.hidden("code", "\"><script>alert('1')</script>&\u{202e}\n");
        assert_eq!(
            html.into_string(),
            "<input type=\"hidden\" name=\"code\" value=\"&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)\
             &lt;/script&gt;&amp;\u{fffd}\u{fffd}\">"
        );
    }
}
