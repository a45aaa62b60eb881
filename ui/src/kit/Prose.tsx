import { Code, Text, type TextProps } from "@chakra-ui/react";

/** Show text in which `backticks` stand around names, as descriptions have it. */
export function Prose({ text, ...more }: { text: string } & TextProps) {
  return (
    <Text whiteSpace="pre-line" {...more}>
      {text.split(/(`[^`\n]+`)/).map((part, at) =>
        part.startsWith("`") && part.length > 2 ? (
          <Code key={at} size="sm">
            {part.slice(1, -1)}
          </Code>
        ) : (
          part
        ),
      )}
    </Text>
  );
}
