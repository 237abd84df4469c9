/** HTML that is safe by construction: whatever is put into it is escaped, unless it is markup itself. */

/** Text that is HTML already. Only {@link html} makes it. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What can be put into markup; null leaves nothing. */
export type Piece = string | number | null | Markup | readonly Piece[];

/** HTML with pieces in it, as text or as quoted attributes. */
export function html(parts: TemplateStringsArray, ...pieces: readonly Piece[]): Markup {
  return new Markup(
    parts
      .map((part, place) => part + (place < pieces.length ? textOf(pieces[place] ?? null) : ''))
      .join(''),
  );
}

function textOf(piece: Piece): string {
  if (piece === null) return '';
  if (piece instanceof Markup) return piece.text;
  if (typeof piece === 'string' || typeof piece === 'number') return escaped(String(piece));
  return piece.map(textOf).join('');
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Control characters are no HTML; they are shown as the replacement character. */
function escaped(text: string): string {
  return text
    .replaceAll(/[&<>"']/g, (character) => ESCAPES[character] ?? character)
    .replaceAll(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F]/g, '\uFFFD');
}
