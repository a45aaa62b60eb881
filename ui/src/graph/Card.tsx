import { Box, Flex, IconButton, Text } from "@chakra-ui/react";
import { Handle, Position, type Node, type NodeProps } from "@xyflow/react";
import { ChevronDown, ChevronRight } from "lucide-react";
import { memo, useContext } from "react";

import { NodeIcon } from "src/kit/icons";
import { durationText, shortCount } from "src/kit/numbers";
import { StateIcon } from "src/kit/StateBadge";
import { summaryOf, type DocumentNode } from "src/model/graph";
import { categoryHue } from "src/theme/categories";
import { stateColour, stateWord } from "src/theme/states";

import { FoldingOf } from "./folding";
import { Marks } from "./marks";

export type CardNode = Node<{ node: DocumentNode }, "card">;

/** A node of a pipeline: what it is called, what it does, and how it did. */
function CardOf({ id, data: { node }, selected }: NodeProps<CardNode>) {
  const mark = useContext(Marks);
  const { folded, sizes, toggle } = useContext(FoldingOf);
  const size = sizes[id] ?? 0;
  const isOpen = size > 0 && !folded.has(id);
  const didNothing = mark.runs[id] !== undefined && ["skipped", "not_run"].includes(mark.runs[id].state);
  const type = mark.types[node.type];
  const hue = categoryHue(type?.category ?? "", type?.effect);
  const run = mark.runs[id];
  const change = mark.changes[id];
  const summary = summaryOf(node);
  const border =
    change === undefined ? (run?.state === "failed" ? "red.solid" : "border.emphasized") : CHANGES[change].border;
  return (
    <Box
      h="100%"
      bg={isOpen || didNothing ? "bg.subtle" : "bg.panel"}
      borderWidth={change === undefined ? "1px" : "2px"}
      borderStyle={change === "removed" ? "dashed" : "solid"}
      borderColor={selected ? "blue.solid" : border}
      outline={selected ? "2px solid" : undefined}
      outlineColor="blue.muted"
      borderRadius="md"
      overflow="hidden"
    >
      <Box position="absolute" insetY="0" insetInlineStart="0" w="4px" borderStartRadius="md" bg={`${hue}.solid`} />
      <Handle type="target" position={Position.Left} isConnectable={false} />
      <Flex align="center" gap="2" ps="3" pe="2" h="66px">
        <Flex
          align="center"
          justify="center"
          boxSize="28px"
          borderRadius="md"
          bg={`${hue}.subtle`}
          color={`${hue}.fg`}
          flexShrink="0"
          opacity={didNothing ? 0.5 : 1}
        >
          <NodeIcon name={type?.icon ?? "box"} />
        </Flex>
        <Box minW="0" flex="1" lineHeight="1.25">
          <Text fontWeight="medium" fontSize="13px" truncate title={node.name ?? node.id}>
            {node.name ?? node.id}
          </Text>
          <Text fontSize="11px" color="fg.muted" truncate title={summary ?? type?.title ?? node.type}>
            {type?.title ?? node.type}
            {summary === null ? "" : ` · ${summary}`}
          </Text>
          {run !== undefined && (
            <Flex gap="1" align="center" fontSize="11px" color={`${stateColour(run.state)}.fg`}>
              <StateIcon state={run.state} size={11} />
              <Text truncate>
                {run.rows === null ? stateWord(run.state) : `${shortCount(run.rows)} rows`}
                {run.seconds === null ? "" : ` · ${durationText(run.seconds)}`}
              </Text>
            </Flex>
          )}
          {change !== undefined && (
            <Text fontSize="11px" color="fg.muted">
              {CHANGES[change].word}
            </Text>
          )}
        </Box>
        {size > 0 && (
          <IconButton
            className="nodrag nopan"
            size="2xs"
            variant="ghost"
            aria-expanded={isOpen}
            aria-label={isOpen ? `Fold ${node.name ?? node.id}` : `Unfold ${node.name ?? node.id}, of ${size} nodes`}
            title={isOpen ? "Fold" : `Unfold ${size} nodes`}
            onClick={(event) => {
              event.stopPropagation();
              toggle(id);
            }}
          >
            {isOpen ? <ChevronDown size={14} /> : <ChevronRight size={14} />}
          </IconButton>
        )}
      </Flex>
      <Handle type="source" position={Position.Right} isConnectable={false} />
    </Box>
  );
}

const CHANGES = {
  added: { word: "Added", border: "green.solid" },
  removed: { word: "Removed", border: "red.solid" },
  changed: { word: "Changed", border: "orange.solid" },
} as const;

export const Card = memo(CardOf);
