//! Writes HTML so that no text can become markup: what is markup is written by constants of this program
//! alone, and the type of [`Markup::raw`] holds everybody to it.

use std::borrow::Cow;

use super::Picture;
use crate::report::visible;

#[derive(Debug, Default)]
pub(super) struct Markup {
    html: String,
}

impl Markup {
    pub(super) fn finish(self) -> String {
        self.html
    }

    /// Markup of this program.
    pub(super) fn raw(&mut self, html: &'static str) {
        self.html.push_str(html);
    }

    /// A text that means nothing but itself; what cannot be seen, or would turn text around, is spelt out.
    pub(super) fn text(&mut self, text: &str) {
        self.html.push_str(&escaped(&visible(text)));
    }

    /// An element that holds a text.
    pub(super) fn element(&mut self, tag: &'static str, text: &str) {
        self.open(tag, &[]);
        self.text(text);
        self.close(tag);
    }

    pub(super) fn open(&mut self, tag: &'static str, attributes: &[(&'static str, &str)]) {
        self.html.push('<');
        self.html.push_str(tag);
        for (name, value) in attributes {
            self.html.push(' ');
            self.html.push_str(name);
            self.html.push_str("=\"");
            self.text(value);
            self.html.push('"');
        }
        self.html.push('>');
    }

    pub(super) fn close(&mut self, tag: &'static str) {
        self.html.push_str("</");
        self.html.push_str(tag);
        self.html.push('>');
    }

    /// An element that holds nothing and has no end tag.
    pub(super) fn empty(&mut self, tag: &'static str, attributes: &[(&'static str, &str)]) {
        self.open(tag, attributes);
        self.html.push('\n');
    }

    pub(super) fn picture(&mut self, picture: &Picture) {
        self.html.push_str(&picture.0);
        self.html.push('\n');
    }
}

/// Good in elements and in quoted attributes.
fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['<', '>', '&', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_markup() {
        let mut page = Markup::default();
        page.open("a", &[("title", "\" onclick='x' <b>&amp;")]);
        page.text("</a><script>\x1b[0m\u{202e}");
        page.close("a");
        assert_eq!(
            page.finish(),
            "<a title=\"&quot; onclick=&#39;x&#39; &lt;b&gt;&amp;amp;\">\
             &lt;/a&gt;&lt;script&gt;\\x1b[0m\\u{202e}</a>"
        );
    }
}
