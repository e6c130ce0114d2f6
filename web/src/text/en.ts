/** The texts of the editor in English. Another language has the same keys. */
export const en = {
  title: "Overpaint",
};

export type Texts = typeof en;
