//! Rows as structures, one field a column.

/// Declares a structure that is read from a row of either database by the names of its columns. `..name: Type` is another such
/// structure whose columns are in the same row.
///
/// Without a derive macro: sqlx's compiles both drivers, and the cryptography under them, once more for the compiler's own use.
macro_rules! row {
    (
        $(#[$attribute:meta])*
        $seen:vis struct $name:ident {
            $($(#[$field_attribute:meta])* $field_seen:vis $field:ident: $type:ty,)*
            $(..$inner:ident: $row:ty,)?
        }
    ) => {
        $(#[$attribute])*
        $seen struct $name {
            $($(#[$field_attribute])* $field_seen $field: $type,)*
            $($inner: $row,)?
        }

        impl<'r, R: sqlx::Row> sqlx::FromRow<'r, R> for $name
        where
            &'static str: sqlx::ColumnIndex<R>,
            $($type: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,)*
            $($row: sqlx::FromRow<'r, R>,)?
        {
            fn from_row(row: &'r R) -> sqlx::Result<Self> {
                Ok(Self {
                    $($field: row.try_get(stringify!($field))?,)*
                    $($inner: <$row>::from_row(row)?,)?
                })
            }
        }
    };
}
