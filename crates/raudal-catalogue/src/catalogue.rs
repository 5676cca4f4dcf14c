//! A catalogue and its entries.

/// One publication of a catalogue's rows: its place among the [editions](Catalogue::editions).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Edition(pub(crate) usize);

/// What is known of an edition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) name: String,
    pub(crate) base_url: String,
}

/// One file of a catalogue, in each edition.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The code that selects it, as it is written: `01`.
    pub code: String,
    /// What it is called.
    pub name: String,
    /// Rows of its table, without the header.
    pub rows: u64,
    /// For each edition: the file, and the glob of the member with the data.
    pub(crate) files: Vec<(String, String)>,
    pub(crate) facts: Vec<(String, u64)>,
}

impl Entry {
    /// Returns the name of its file. Empty for an edition of another catalogue.
    pub fn file(&self, edition: Edition) -> &str {
        self.files.get(edition.0).map_or("", |(file, _)| file)
    }

    /// Returns the glob that selects the data among the members of its file. Empty for an edition of another
    /// catalogue.
    pub fn member(&self, edition: Edition) -> &str {
        self.files.get(edition.0).map_or("", |(_, member)| member)
    }

    /// Returns the code as a number.
    pub fn number(&self) -> u32 {
        self.code.parse().unwrap_or_default()
    }

    /// Returns the value of another column of the catalogue; `None` if there is no such column.
    pub fn fact(&self, column: &str) -> Option<u64> {
        self.facts.iter().find(|(name, _)| name == column).map(|(_, value)| *value)
    }
}

/// The files of one publisher.
#[derive(Debug)]
pub struct Catalogue {
    pub(crate) editions: Vec<Published>,
    pub(crate) entries: Vec<Entry>,
}

impl Catalogue {
    /// Returns all entries, in the order of their codes.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns all editions, the default first.
    pub fn editions(&self) -> impl Iterator<Item = Edition> {
        (0..self.editions.len()).map(Edition)
    }

    /// Returns the edition of this name.
    pub fn edition(&self, name: &str) -> Option<Edition> {
        self.editions.iter().position(|edition| edition.name == name).map(Edition)
    }

    /// Returns the name of an edition. Empty for one of another catalogue.
    pub fn edition_name(&self, edition: Edition) -> &str {
        self.editions.get(edition.0).map_or("", |edition| &edition.name)
    }

    /// Returns the URL of the folder of an edition, with a final slash. Empty for one of another catalogue.
    pub fn base_url(&self, edition: Edition) -> &str {
        self.editions.get(edition.0).map_or("", |edition| &edition.base_url)
    }

    /// Returns the entry whose file has this name in some edition. Ignores case, as many servers do.
    pub fn find_file(&self, name: &str) -> Option<(&Entry, Edition)> {
        self.entries.iter().find_map(|entry| {
            let mut editions = self.editions();
            editions.find(|&edition| entry.file(edition).eq_ignore_ascii_case(name)).map(|edition| (entry, edition))
        })
    }
}
