//! Text that strangers chose: names of users, roles, sessions and programs.

/// Whether a reader would not see the character, or see the text around it in another order: a control character, a line
/// break, a direction mark, a zero-width character or a tag. Whoever shows a text writes such a character as its code.
///
/// Source: Unicode, `Default_Ignorable_Code_Point` and `Bidi_Control` of DerivedCoreProperties and PropList.
pub fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
            | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}
