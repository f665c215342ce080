"""Common nouns that clusters of photos can be named by where the caller gives no words."""

_TEXT = """
airplane, ambulance, apple, arch, arm, baby, backpack, bag, ball, balloon, banana, basket,
bathroom, beach, bear, bed, bedroom, bee, beetle, bell, bench, berries, bicycle, bird, boat, book,
bookcase, bottle, bowl, box, bread, bridge, building, bus, butterfly, cable, cactus, cake, camel,
camera, candle, car, carpet, castle, cat, cattle, chair, cheese, chessboard, chicken, child,
church, city, clock, cloth, clouds, coast, coffee, computer, cookies, corn, corridor, couch, cow,
crab, crocodile, crowd, cup, curtain, deer, desert, desk, diagram, dinosaur, dish, document, dog,
dolphin, door, drawing, dress, drink, drum, duck, eagle, egg, elephant, engine, eye, fabric, face,
factory, farm, feather, fence, field, fire, fish, flag, floor, flower, food, forest, fork,
fountain, fox, frog, fruit, furniture, garden, giraffe, glass, glasses, goat, grapes, graph,
grass, guitar, hair, hammer, hand, handwriting, hat, helicopter, helmet, hill, horse, house,
insect, instrument, island, jacket, jar, jellyfish, jewellery, kangaroo, keyboard, kitchen, knife,
lake, lamp, leaf, lemon, letter, lion, lizard, logo, machine, man, map, market, mask, meadow,
meat, microscope slide, mirror, monkey, moon, mosaic, motorcycle, mountain, mouse, mushroom, night
sky, office, onion, orange, painting, pants, paper, park, parrot, pattern, pen, penguin, people,
phone, piano, pig, pillow, pizza, plant, plate, playground, poster, pot, rabbit, railway, receipt,
rice, ring, river, road, robot, rock, roof, room, rope, rose, ruins, sand, satellite image,
scissors, screen, screenshot, sculpture, sea, seal, shark, sheep, shelf, shell, ship, shirt, shoe,
shop, sign, skin, sky, snail, snake, snow, soup, spider, spoon, sports, square, squirrel, stadium,
stage, stairs, star, station, stone, street, suitcase, sun, sunset, swimming pool, symbol, table,
tank, tea, television, temple, tent, text, tiger, tile, tool, tower, toy, tractor, traffic light,
train, tree, truck, tunnel, turtle, umbrella, vase, vegetables, village, violin, wall, watch,
water, waterfall, waves, weapon, whale, wheel, window, wine, wolf, woman, wood, worm, x-ray, zebra
"""
NOUNS: tuple[str, ...] = tuple(word.strip() for word in _TEXT.split(","))
"""In alphabetical order."""
