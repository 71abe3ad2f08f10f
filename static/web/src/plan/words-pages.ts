/** The words of the pages of src/plan/pages: Chinese first, English second. */
export const pageWords = {
} as const satisfies Record<string, readonly [string, string]>
