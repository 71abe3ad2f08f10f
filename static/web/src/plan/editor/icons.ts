/** Drawings of the tools, in the manner of the others (24 × 24, stroke 2). */
export const toolIcons: Record<string, string> = {
  select: '<path d="M5 3l14 8-6.500 1.500L9.500 19z"/>',
  draw: '<path d="M4 8l7-4 9 5-3 10-11 1z"/><circle cx="4" cy="8" r="1.600" fill="currentColor"/><circle cx="20" cy="9" r="1.600" fill="currentColor"/><circle cx="6" cy="20" r="1.600" fill="currentColor"/>',
  vertex: '<path d="M6 18L10 7l9 3"/><rect x="4" y="16" width="4" height="4" fill="currentColor"/><rect x="8" y="5" width="4" height="4" fill="currentColor"/><rect x="17" y="8" width="4" height="4" fill="currentColor"/>',
  reshape: '<path d="M3 17h4c3 0 3-9 6-9s3 9 6 9h2"/><path d="M7 17h10" stroke-dasharray="2 2.500"/>',
  split: '<rect x="4" y="6" width="16" height="12" rx="1"/><path d="M14 3L10 21" stroke-dasharray="3 2"/>',
  merge: '<path d="M4 5h7v14H4zM13 5h7v14h-7z" stroke-dasharray="3 2"/><path d="M9 12h6M13 9.500l2.500 2.500L13 14.500"/>',
  hole: '<rect x="3" y="4" width="18" height="16" rx="1"/><path d="M9 9h6v6H9z" stroke-dasharray="2.500 2"/>',
  fill: '<rect x="3" y="4" width="18" height="16" rx="1"/><path d="M9 9h6v6H9z" fill="currentColor"/>',
  part: '<path d="M3 6h8v9H3z"/><path d="M15 12h6v7h-6z"/><path d="M18 4v5M15.500 6.500h5"/>',
  explode: '<path d="M4 4h6v6H4zM14 14h6v6h-6z"/><path d="M13 11l4-4M17 11V7h-4"/>',
  units: '<path d="M3 3h8v8H3zM13 3h8v8h-8zM3 13h8v8H3z"/><path d="M13 13h8v8h-8z" fill="currentColor"/>',
  coordinates: '<path d="M12 3v18M3 12h18"/><circle cx="12" cy="12" r="4"/>',
  trash: '<path d="M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5"/>',
  magnet: '<path d="M6 4v8a6 6 0 0 0 12 0V4h-4v8a2 2 0 0 1-4 0V4zM6 8h4M14 8h4"/>',
  undo: '<path d="M9 7L4 12l5 5"/><path d="M4 12h10a6 6 0 0 1 0 12" transform="translate(0 -4)"/>',
  redo: '<path d="M15 7l5 5-5 5"/><path d="M20 12H10a6 6 0 0 0 0 12" transform="translate(0 -4)"/>',
}
