import { Input, InputGroup } from "@chakra-ui/react";
import { Search } from "lucide-react";
import { useEffect, useState } from "react";

const PAUSE_MS = 200;

/** Take words to search for; tell of them when typing pauses. */
export function SearchField({
  value,
  label,
  onChange,
}: {
  value: string;
  label: string;
  onChange: (text: string) => void;
}) {
  const [text, setText] = useState(value);
  const [before, setBefore] = useState(value);
  if (before !== value) {
    // The address has changed, by "back" for instance.
    setBefore(value);
    setText(value);
  }
  useEffect(() => {
    if (text === value) {
      return undefined;
    }
    const timer = window.setTimeout(() => onChange(text), PAUSE_MS);
    return () => window.clearTimeout(timer);
  }, [text, value, onChange]);
  return (
    <InputGroup startElement={<Search size={14} aria-hidden />} maxW="320px">
      <Input
        type="search"
        aria-label={label}
        placeholder={label}
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
    </InputGroup>
  );
}
