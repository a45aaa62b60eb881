import { Braces, Box, Database, FileText, Split, Table2, Timer, type LucideIcon } from "lucide-react";

/** The icons that node types name; another name has the icon of a box. */
const ICONS: Record<string, LucideIcon> = {
  braces: Braces,
  database: Database,
  "file-text": FileText,
  split: Split,
  "table-2": Table2,
  timer: Timer,
};

export function NodeIcon({ name, size = 16 }: { name: string; size?: number }) {
  const Icon = ICONS[name] ?? Box;
  return <Icon size={size} aria-hidden />;
}
