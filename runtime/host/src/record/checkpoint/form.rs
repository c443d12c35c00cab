//! The form of a checkpoint's bytes in words: names and types of all fields, in their order, as the code that reads them asks for
//! them. Two versions of the state with the same text read each other's bytes alike.

use serde::de::value::U32Deserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, SeqAccess, VariantAccess,
    Visitor,
};
use std::fmt::{self, Display, Write};
use std::sync::OnceLock;
use twinstep_cycle::checkpoint::Part;

/// Text of the first variant of every enum in full, and a hash of those of all variants.
pub fn form() -> &'static str {
    static FORM: OnceLock<String> = OnceLock::new();
    FORM.get_or_init(|| {
        let (text, hash) = told::<Part>();
        format!("{text}\nhash {hash:016x}\n")
    })
}

/// The hash alone, of the bytes of any `T`.
pub fn hash_of<T: DeserializeOwned>() -> u64 {
    told::<T>().1
}

fn told<T: DeserializeOwned>() -> (String, u64) {
    let (text, variants) = walk::<T>(0);
    let mut all = text.clone();
    for variant in 1..variants {
        all.push_str(&walk::<T>(variant).0);
    }
    // FNV-1a.
    let hash = all.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (text, hash)
}

/// Longest tuple that may have several types.
const TUPLE: usize = 3;

/// What is read where every enum has the variant of this number, or its last one; and the most variants of an enum.
fn walk<T: DeserializeOwned>(variant: usize) -> (String, usize) {
    let mut walk = Walk {
        text: String::new(),
        silent: 0,
        variant,
        variants: 1,
    };
    // What stops the walk is told in its text.
    if let Err(Stopped(why)) = T::deserialize(&mut walk) {
        let _ = write!(walk.text, "!{why}");
    }
    (walk.text, walk.variants)
}

struct Walk {
    text: String,
    /// Within an array: its elements are alike, and the first is told.
    silent: usize,
    variant: usize,
    variants: usize,
}

/// The walk cannot go on.
#[derive(Debug)]
struct Stopped(String);

impl Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Stopped {}

impl Error for Stopped {
    fn custom<T: Display>(what: T) -> Self {
        Self(what.to_string())
    }
}

impl Walk {
    fn say(&mut self, words: &str) {
        if self.silent == 0 {
            self.text.push_str(words);
        }
    }
}

/// A number that says its type.
macro_rules! numbers {
    ($($method:ident $visit:ident $zero:expr, $name:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stopped> {
            self.say($name);
            visitor.$visit($zero)
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Walk {
    type Error = Stopped;

    numbers! {
        deserialize_bool visit_bool false, "bool";
        deserialize_i8 visit_i8 0, "i8";
        deserialize_i16 visit_i16 0, "i16";
        deserialize_i32 visit_i32 0, "i32";
        deserialize_i64 visit_i64 0, "i64";
        deserialize_u8 visit_u8 0, "u8";
        deserialize_u16 visit_u16 0, "u16";
        deserialize_u32 visit_u32 0, "u32";
        deserialize_u64 visit_u64 0, "u64";
        deserialize_f32 visit_f32 0.0, "f32";
        deserialize_f64 visit_f64 0.0, "f64";
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stopped> {
        Err(Stopped("a type that does not say what it is".to_owned()))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stopped> {
        self.say("?");
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stopped> {
        self.say("()");
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stopped> {
        self.say(name);
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stopped> {
        self.say(name);
        self.say(" ");
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stopped> {
        self.say("[");
        let value = visitor.visit_seq(Elements::array(self, 1))?;
        self.say("]");
        Ok(value)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Stopped> {
        self.say(&format!("[{len} "));
        let value = visitor.visit_seq(Elements::array(self, len))?;
        self.say("]");
        Ok(value)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Stopped> {
        self.say(name);
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stopped> {
        self.say(name);
        self.say("{");
        let value = visitor.visit_seq(Elements::fields(self, fields))?;
        self.say("}");
        Ok(value)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stopped> {
        self.say(name);
        self.say("<");
        self.say(&variants.join("|"));
        self.say(">");
        self.variants = self.variants.max(variants.len());
        let variant = self.variant.min(variants.len().saturating_sub(1)) as u32;
        visitor.visit_enum(Variant(self, variant))
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf map identifier ignored_any
    }
}

/// Fields of a struct, or elements of an array, one after the other.
struct Elements<'w> {
    walk: &'w mut Walk,
    left: usize,
    /// Names; empty for an array.
    names: &'static [&'static str],
    told: bool,
    len: usize,
}

impl<'w> Elements<'w> {
    fn array(walk: &'w mut Walk, len: usize) -> Self {
        Self {
            walk,
            left: len,
            names: &[],
            told: false,
            len,
        }
    }

    fn fields(walk: &'w mut Walk, names: &'static [&'static str]) -> Self {
        Self {
            walk,
            left: names.len(),
            names,
            told: false,
            len: names.len(),
        }
    }
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Stopped;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Stopped> {
        if self.left == 0 {
            return Ok(None);
        }
        if let Some(name) = self
            .names
            .get(self.names.len() - self.left.min(self.names.len()))
        {
            self.walk.say(name);
            self.walk.say(":");
        }
        self.left -= 1;
        // Elements of long arrays are alike; short ones may be tuples of several types.
        let silent = self.names.is_empty() && self.told && self.len > TUPLE;
        self.told = true;
        self.walk.silent += usize::from(silent);
        let value = seed.deserialize(&mut *self.walk);
        self.walk.silent -= usize::from(silent);
        self.walk.say(",");
        value.map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// The variant that is walked through.
struct Variant<'w>(&'w mut Walk, u32);

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Stopped;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Stopped> {
        let value = seed.deserialize(U32Deserializer::<Stopped>::new(self.1))?;
        Ok((value, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Stopped;

    fn unit_variant(self) -> Result<(), Stopped> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Stopped> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Stopped> {
        self.0.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stopped> {
        self.0.deserialize_struct("", fields, visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_names_every_level_and_nothing_stops_it() {
        let form = form();
        assert!(!form.contains('!'), "{form}");
        for word in [
            "Part{common:Common{",
            "free_run:FreeRun{lane:u64,",
            "Piece<Lane|Health|Signature|Station|Press>",
            "LaneState{",
        ] {
            assert!(form.contains(word), "{word}: {form}");
        }
        assert!(form.len() < 64_000, "{} bytes", form.len());
        // Presses are the last variant of a piece.
        assert!(walk::<Part>(4).0.contains("StrokeJudge{"));
    }
}
