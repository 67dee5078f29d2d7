/* SPDX-License-Identifier: GPL-2.0 */
/* A Huffman tree that grows with the bytes it sees, as the protocol's does. */
#ifndef TREE_H
#define TREE_H

#define SYMBOLS		256
#define ESCAPE		SYMBOLS		/* before a byte that is not in the tree yet */
#define NODES		(2 * SYMBOLS + 1)
#define NONE		(-1)

struct tree {
	int nodes, root;
	int order[NODES], rank[NODES];	/* heaviest first */
	int parent[NODES], child[NODES][2], weight[NODES], symbol[NODES];
	int leaf[SYMBOLS + 1];
};

void tree_plant(struct tree *t);
void tree_see(struct tree *t, int symbol);

#endif
